%% What ../actors/operations.ts asks for, as an Erlang programmer would write it: each operation is prepared once and
%% answers a fun that does it so many times and checks what comes back.
-module(operations).
-export([main/0]).

-define(WAITING, 1000).
-define(RING, 1000).

%% erl ... -extra Name Batch WarmUpMs MeasuredMs
main() ->
    [Name | Numbers] = init:get_plain_arguments(),
    [Batch, WarmUp, Measured] = [list_to_integer(Number) || Number <- Numbers],
    {_, Ref} = spawn_monitor(fun() -> measure(Name, Batch, WarmUp, Measured) end),
    receive
        {'DOWN', Ref, process, _, normal} -> halt(0);
        {'DOWN', Ref, process, _, Reason} -> io:format(standard_error, "~p~n", [Reason]), halt(1)
    end.

measure(Name, Batch, WarmUp, Measured) ->
    Do = prepare(Name, list_to_binary("x")),
    repeat(Do, Batch, now_ms() + WarmUp, 0),
    Began = erlang:monotonic_time(nanosecond),
    {Used, _} = statistics(runtime),
    Count = repeat(Do, Batch, now_ms() + Measured, 0),
    Elapsed = erlang:monotonic_time(nanosecond) - Began,
    {UsedThen, _} = statistics(runtime),
    Cpu = (UsedThen - Used) * 1000000,
    io:format("{\"elapsed\":~w,\"cpu\":~w,\"count\":~w}~n", [Elapsed, Cpu, Count]).

repeat(Do, Batch, Until, Count) ->
    Do(Batch),
    case now_ms() < Until of
        true -> repeat(Do, Batch, Until, Count + Batch);
        false -> Count + Batch
    end.

now_ms() -> erlang:monotonic_time(millisecond).

%% ---- Messages

prepare("ping-pong", _) ->
    Pong = spawn_link(fun pong/0),
    fun(Count) -> ping(Pong, Count div 2) end;
prepare("flood", X) ->
    Drain = spawn_link(fun drain/0),
    fun(Count) ->
        Drain ! {expect, self(), Count},
        flood(Drain, X, Count),
        receive {got, Count} -> ok end
    end;
prepare("ring", _) ->
    First = spawn_link(fun() -> receive {next, Next} -> hop(Next) end end),
    Last = lists:foldl(fun(_, Next) -> spawn_link(fun() -> hop(Next) end) end, First, lists:seq(2, ?RING)),
    First ! {next, Last},
    fun(Count) ->
        First ! {token, Count - 1, self()},
        receive token_is_through -> ok end
    end;

%% ---- Spawning

prepare("spawn", _) ->
    fun(Count) -> one_by_one(self(), Count) end;
prepare("spawn-batch", _) ->
    fun(Count) ->
        Self = self(),
        spawn_all(Self, Count),
        collect(Count)
    end;
prepare("spawn-monitor", _) ->
    fun monitored/1;

%% ---- Selective receive

prepare("select", _) ->
    wait_with_messages(),
    fun select/1;
prepare("select-reference", _) ->
    wait_with_messages(),
    fun select_reference/1;

%% ---- gen_server

prepare("call", _) ->
    {ok, Server} = counter:start_link(),
    fun(Count) -> call(Server, Count) end;
prepare("call-behind", _) ->
    wait_with_messages(),
    prepare("call", none).

ping(_, 0) -> ok;
ping(Pong, N) ->
    Pong ! {ping, self(), N},
    receive {pong, N} -> ping(Pong, N - 1) end.

pong() ->
    receive
        {ping, From, N} ->
            From ! {pong, N},
            pong()
    end.

flood(_, _, 0) -> ok;
flood(Drain, X, N) ->
    Drain ! {t, {data, X}},
    flood(Drain, X, N - 1).

drain() ->
    receive
        {expect, From, Count} ->
            From ! {got, drain(Count, 0)},
            drain()
    end.

drain(Count, Count) -> Count;
drain(Count, Got) ->
    receive {t, {data, X}} when is_binary(X) -> drain(Count, Got + 1) end.

hop(Next) ->
    receive
        {token, 0, Home} -> Home ! token_is_through;
        {token, N, Home} -> Next ! {token, N - 1, Home}
    end,
    hop(Next).

one_by_one(_, 0) -> ok;
one_by_one(Self, N) ->
    spawn(fun() -> Self ! {done, N} end),
    receive {done, N} -> one_by_one(Self, N - 1) end.

spawn_all(_, 0) -> ok;
spawn_all(Self, N) ->
    spawn(fun() -> Self ! {done, N} end),
    spawn_all(Self, N - 1).

collect(0) -> ok;
collect(N) ->
    receive {done, _} -> collect(N - 1) end.

monitored(0) -> ok;
monitored(N) ->
    {_, Ref} = spawn_monitor(fun() -> ok end),
    receive {'DOWN', Ref, process, _, normal} -> monitored(N - 1) end.

wait_with_messages() ->
    [self() ! {waiting, N} || N <- lists:seq(1, ?WAITING)].

select(0) -> ok;
select(N) ->
    self() ! {wanted, N},
    receive {wanted, N} -> select(N - 1) end.

select_reference(0) -> ok;
select_reference(N) ->
    Ref = make_ref(),
    self() ! {Ref, N},
    receive {Ref, N} -> select_reference(N - 1) end.

call(_, 0) -> ok;
call(Server, N) ->
    Sum = counter:add(Server, 1),
    true = is_integer(Sum),
    call(Server, N - 1).
