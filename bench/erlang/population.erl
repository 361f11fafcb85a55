%% What ../actors/population.ts asks for: so many processes that wait in a receive.
-module(population).
-export([main/0]).

%% erl ... -extra Count
main() ->
    [Count] = [list_to_integer(Number) || Number <- init:get_plain_arguments()],
    {_, Ref} = spawn_monitor(fun() -> live(Count) end),
    receive
        {'DOWN', Ref, process, _, normal} -> halt(0);
        {'DOWN', Ref, process, _, Reason} -> io:format(standard_error, "~p~n", [Reason]), halt(1)
    end.

live(Count) ->
    Self = self(),
    garbage_collect(),
    Rss = rss(),
    {Start, StartCpu, Pids} = timed(fun() ->
        Pids = start(Self, Count, []),
        hear(ready, Count),
        Pids
    end),
    garbage_collect(),
    Resident = rss() - Rss,
    Heap = lists:foldl(fun(Pid, Sum) -> Sum + memory(Pid) end, 0, Pids),
    {Talk, TalkCpu, _} = timed(fun() ->
        tell(Pids, {ping, Self}),
        hear(pong, Count)
    end),
    Last = monitor(process, hd(Pids)),
    {End, EndCpu, _} = timed(fun() ->
        tell(Pids, {stop, Self}),
        hear(bye, Count),
        receive {'DOWN', Last, process, _, normal} -> ok end
    end),
    io:format(
        "{\"start\":~w,\"talk\":~w,\"end\":~w,\"cpu\":~w,\"rss\":~w,\"heap\":~w}~n",
        [Start, Talk, End, StartCpu + TalkCpu + EndCpu, Resident / Count, Heap / Count]
    ).

start(_, 0, Pids) -> Pids;
start(Home, N, Pids) -> start(Home, N - 1, [spawn(fun() -> Home ! ready, wait() end) | Pids]).

wait() ->
    receive
        {ping, From} ->
            From ! pong,
            wait();
        {stop, From} ->
            From ! bye
    end.

tell([], _) -> ok;
tell([Pid | Pids], Message) ->
    Pid ! Message,
    tell(Pids, Message).

hear(_, 0) -> ok;
hear(Message, N) ->
    receive Message -> hear(Message, N - 1) end.

%% {Elapsed, CpuTimeOfAllThreads, Result}, in nanoseconds
timed(Fun) ->
    Began = erlang:monotonic_time(nanosecond),
    {Used, _} = statistics(runtime),
    Result = Fun(),
    {UsedThen, _} = statistics(runtime),
    {erlang:monotonic_time(nanosecond) - Began, (UsedThen - Used) * 1000000, Result}.

memory(Pid) ->
    {memory, Bytes} = process_info(Pid, memory),
    Bytes.

rss() ->
    {ok, Status} = file:read_file("/proc/self/statm"),
    [_, Pages | _] = string:lexemes(Status, " "),
    binary_to_integer(Pages) * 4096.
