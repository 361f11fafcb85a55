/**
 * supervisor, as in OTP: a process that starts other processes in order, starts them again when they end, and ends
 * them in reverse order. It is a gen_server, and traps exits.
 *
 * ```ts
 * const tree: supervisor.Behaviour = {
 *   init: () => ['ok', [
 *     { strategy: 'rest_for_one', intensity: 3, period: 10 },
 *     [
 *       { id: 'store', start: (self) => gen_server.start_link(self, store, undefined, { name: 'store' }) },
 *       { id: 'web', start: (self) => gen_server.start_link(self, web, undefined) },
 *     ],
 *   ]],
 * };
 * const pid = ok(await supervisor.start_link(self, tree, undefined, { name: 'top' }));
 * ```
 *
 * Where OTP says a module, a function and its arguments, a child's `start` is a function, called in the supervisor's
 * process with its `self`, so that what it starts can be linked to it. It answers as in OTP; what it throws is the
 * reason of a failed start.
 */
import { ErlangError } from '../actors/errors.js';
import { formatShort } from '../actors/format.js';
import { Pid } from '../actors/identifiers.js';
import type { Process } from '../actors/process.js';
import { isTuple, type List } from '../actors/term.js';
import type { Self } from '../ports/self.js';
import type { Started } from './child.js';
import { type CheckedSpec, type ChildSpec, checkSpecs } from './child-spec.js';
import type { ChildCount, ChildInfo, Children, Outcome } from './children.js';
import { DynamicChildren } from './dynamic-children.js';
import * as gen from './gen.js';
import * as gen_server from './gen-server.js';
import { OrderedChildren } from './ordered-children.js';
import { type AutoShutdown, checkFlags, isAutoShutdown, type SupervisorFlags } from './supervisor-flags.js';

export type { ChildResult, ChildSpec, ChildStart, ChildType, Restart, Shutdown } from './child-spec.js';
export type { ChildCount, ChildInfo } from './children.js';
export type { AutoShutdown, Strategy, SupervisorFlags } from './supervisor-flags.js';

type Awaitable<T> = T | Promise<T>;
type Answer<T = 'ok'> = T | ['error', unknown];

/** What to supervise, and how. */
export interface Behaviour<A = unknown, P extends Process = Self> {
  init(
    args: A,
    self: P,
  ): Awaitable<readonly ['ok', readonly [SupervisorFlags, readonly ChildSpec<P>[]]] | 'ignore'>;
}

export type SupervisorRef = gen_server.ServerRef;

/**
 * Starts a supervisor, linked to the caller, and all its children; resolves when the last of them has started.
 * `{error, Reason}`: `{shutdown, {failed_to_start_child, Id, _}}` when one has not, after those before it were ended;
 * `{supervisor_data, _}` and `{start_spec, _}` for flags and specifications that are wrong; `{already_started, Pid}`.
 */
export function start_link<P extends Process, A>(
  self: P,
  behaviour: Behaviour<A, P>,
  args: A,
  options: Pick<gen_server.StartOptions, 'name'> = {},
): Promise<['ok', Pid] | ['error', unknown] | 'ignore'> {
  return gen_server.start_link(self, supervisorOf(behaviour), args, options);
}

/**
 * Starts one more child, behind all others. For simple_one_for_one what is given is not a specification but an array
 * of arguments that `start` gets behind `self`. The atom `undefined` stands for the pid of a child that was ignored.
 */
export function start_child<P extends Process>(
  self: P,
  supervisor: SupervisorRef,
  what: ChildSpec<P> | readonly unknown[],
): Promise<Started> {
  return ask(self, supervisor, ['start_child', what]);
}

/** Ends a child; its specification stays, unless it is temporary. By id, or for simple_one_for_one by pid. */
export function terminate_child(self: Process, supervisor: SupervisorRef, id: unknown): Promise<Answer> {
  return ask(self, supervisor, ['terminate_child', id]);
}

/** Starts a child that has ended. `{error, Reason}`: running, restarting, not_found, simple_one_for_one, or its own. */
export function restart_child(self: Process, supervisor: SupervisorRef, id: unknown): Promise<Started> {
  return ask(self, supervisor, ['restart_child', id]);
}

/** Forgets the specification of a child that has ended. */
export function delete_child(self: Process, supervisor: SupervisorRef, id: unknown): Promise<Answer> {
  return ask(self, supervisor, ['delete_child', id]);
}

/** The children, those started last first. */
export function which_children(self: Process, supervisor: SupervisorRef): Promise<List<ChildInfo>> {
  return ask(self, supervisor, 'which_children');
}

/** A list of `{specs, N}`, `{active, N}`, `{supervisors, N}`, `{workers, N}`. */
export function count_children(self: Process, supervisor: SupervisorRef): Promise<ChildCount> {
  return ask(self, supervisor, 'count_children');
}

/** The specification of a child, with its defaults. */
export function get_childspec<P extends Process>(
  self: P,
  supervisor: SupervisorRef,
  id: unknown,
): Promise<['ok', CheckedSpec<P>] | ['error', unknown]> {
  return ask(self, supervisor, ['get_childspec', id]);
}

/** Whether these are specifications; with `autoShutdown`, also whether they fit it. */
export function check_childspecs<P extends Process>(
  specs: readonly ChildSpec<P>[],
  autoShutdown?: AutoShutdown,
): Answer {
  if (!Array.isArray(specs)) return ['error', ['badarg', specs]];
  if (autoShutdown !== undefined && !isAutoShutdown(autoShutdown)) return ['error', ['badarg', autoShutdown]];
  const checked = checkSpecs(specs, autoShutdown);
  return checked[0] === 'ok' ? 'ok' : checked;
}

function ask<T>(self: Process, supervisor: SupervisorRef, request: unknown): Promise<T> {
  return gen_server.call(self, supervisor, request, 'infinity') as Promise<T>;
}

// ---- The gen_server

type Server<P extends Process, A> = gen_server.Behaviour<Children<P>, gen_server.Call, unknown, A, P>;

function supervisorOf<P extends Process, A>(behaviour: Behaviour<A, P>): Server<P, A> {
  return {
    async init(args, self) {
      self.put('$initial_call', INITIAL_CALL);
      self.process_flag('trap_exit', true);
      if (typeof behaviour?.init !== 'function')
        gen.undefinedFunction(`the supervisor ${formatShort(behaviour)} has no init`);
      const result = await behaviour.init(args, self);
      if (result === 'ignore') return 'ignore';
      if (!isSupervision(result)) return ['stop', ['bad_return', ['supervisor', 'init', result]]];
      return startAll(self, ...result[1]);
    },

    async handle_call(request, _from, children) {
      return ['reply', await answer(request, children), children];
    },

    async handle_cast(message, children) {
      const [, id, reason] = message as [tag: 'try_again_restart', id: unknown, reason: unknown];
      return next(await children.tryAgain(id, reason), children);
    },

    async handle_info(message, children) {
      const [kind, pid, reason] = isTuple(message) ? message : [];
      if (kind !== 'EXIT' || !(pid instanceof Pid)) return ['noreply', children];
      return next(await children.exited(pid, reason), children);
    },

    terminate: (_reason, children) => children.terminateAll(),
  };
}

const INITIAL_CALL = ['supervisor', 'init', 1] as const;

async function startAll<P extends Process>(
  self: P,
  flags: SupervisorFlags,
  specs: readonly ChildSpec<P>[],
): Promise<gen_server.InitResult<Children<P>>> {
  const checkedFlags = checkFlags(flags);
  if (checkedFlags[0] === 'error') return ['stop', ['supervisor_data', checkedFlags[1]]];
  const [, { strategy, autoShutdown }] = checkedFlags;
  const isSimple = strategy === 'simple_one_for_one';
  if (!Array.isArray(specs) || (isSimple && specs.length !== 1)) return ['stop', ['bad_start_spec', specs]];
  const checkedSpecs = checkSpecs(specs, autoShutdown);
  if (checkedSpecs[0] === 'error') return ['stop', ['start_spec', checkedSpecs[1]]];
  const [spec] = checkedSpecs[1];
  if (isSimple && spec !== undefined) return ['ok', new DynamicChildren(self, checkedFlags[1], spec)];

  const children = new OrderedChildren(self, checkedFlags[1], checkedSpecs[1]);
  const started = await children.startAll();
  return started === 'ok' ? ['ok', children] : ['stop', ['shutdown', started[1]]];
}

function answer<P extends Process>(request: unknown, children: Children<P>): unknown {
  const [verb, what] = isTuple(request) ? request : [request];
  switch (verb) {
    case 'start_child':
      return children.start(what as ChildSpec<P> | readonly unknown[]);
    case 'terminate_child':
      return children.terminate(what);
    case 'restart_child':
      return children.restart(what);
    case 'delete_child':
      return children.delete(what);
    case 'get_childspec':
      return children.specOf(what);
    case 'which_children':
      return children.which();
    case 'count_children':
      return children.count();
    default:
      throw new ErlangError('function_clause');
  }
}

function next<P extends Process>(outcome: Outcome, children: Children<P>): gen_server.NoReply<Children<P>> {
  return outcome === 'goesOn' ? ['noreply', children] : ['stop', 'shutdown', children];
}

function isSupervision(result: unknown): boolean {
  return (
    isTuple(result) &&
    result.length === 2 &&
    result[0] === 'ok' &&
    Array.isArray(result[1]) &&
    result[1].length === 2
  );
}
