-module(counter).
-behaviour(gen_server).
-export([start_link/0, add/2, init/1, handle_call/3, handle_cast/2]).

start_link() -> gen_server:start_link(?MODULE, 0, []).

add(Server, N) -> gen_server:call(Server, {add, N}).

init(N) -> {ok, N}.

handle_call({add, More}, _From, N) -> {reply, N + More, N + More}.

handle_cast(_, N) -> {noreply, N}.
