#!/usr/bin/env escript
%%! -noinput
%% A port program in Erlang: answers each term with {N, Term}, N counting from 1; ends with status N when its input does.
main(_) ->
    Port = open_port({fd, 0, 1}, [{packet, 2}, binary, eof]),
    loop(Port, 1).

loop(Port, N) ->
    receive
        {Port, {data, Data}} ->
            port_command(Port, term_to_binary({N, binary_to_term(Data)})),
            loop(Port, N + 1);
        {Port, eof} ->
            halt(N)
    end.
