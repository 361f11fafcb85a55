/**
 * The process that owns a tube: it cuts messages into packets and puts packets together to messages.
 *
 * A postman never waits for its tube. While it has no slots to send, it goes on receiving, so two postmen that both
 * have much to send cannot lock each other up. After {@link SHIFT} messages it hands everything to a fresh process;
 * see {@link Postman.handOver} for why nothing is lost or changes its place by that.
 */
import { ErlangError, gen_server, isTuple, type Pid, type Port, type Self, tube } from '../../lib/index.js';
import { ProtocolError, packetAt } from './chunks.js';
import type { Link } from './link.js';
import { type Message, parseMessage } from './message.js';

/** How many messages a postman handles before a fresh one takes over. */
const SHIFT = 1000;
/** How long a peer may take to say its name, in milliseconds. */
const INTRODUCTION = 5000;

/** What the server tells a postman. */
export type ServerMessage =
  | ['call', from: gen_server.From, message: Buffer, deadline: number]
  | ['send', from: gen_server.From, message: Buffer]
  | ['returns', message: Buffer]
  | ['refused', reason: string];

/** What a postman tells the server. Those with a postman in them are answered `['noted', tube]`. */
export type PostmanMessage =
  | ['introduced', postman: Pid, link: Link]
  | ['serve', tube: Port, message: Message]
  | ['moved', postman: Pid, link: Link, heir: Pid]
  | ['over', postman: Pid, link: Link, reason: unknown];

/** Makes a postman for the tube that the caller owns, and gives it all that has come through the tube so far. */
export async function startPostman(self: Self, link: Link): Promise<void> {
  const heir = await makeHeir(self, link.server);
  const closed = giveTube(self, link.tube, heir);
  const isOfTube = (message: unknown): message is unknown => isTuple(message) && message[0] === link.tube;
  const backlog = await takeAll(self, isOfTube);
  self.send(heir, ['take over', link, [...backlog, ...closed]]);
}

/** A process that is ready to own a tube. */
async function makeHeir(self: Self, server: Pid): Promise<Pid> {
  const heir = self.spawn_link((postman) => beginShift(postman, self.pid, server));
  const isReady = (message: unknown): message is unknown => isTuple(message) && message[0] === heir;
  await self.receive(isReady);
  return heir;
}

/** From here on packets go to the heir. When the tube has closed meanwhile: the message that would have said so. */
function giveTube(self: Self, port: Port, heir: Pid): unknown[] {
  try {
    self.port_connect(port, heir);
    self.unlink(port);
    return [];
  } catch (error) {
    if (!(error instanceof ErlangError && error.reason === 'badarg')) throw error;
    return [['EXIT', port, 'normal']];
  }
}

async function beginShift(self: Self, parent: Pid, server: Pid): Promise<void> {
  // Before it is linked to a tube, whose end would otherwise be its own.
  self.process_flag('trap_exit', true);
  self.link(server);
  self.send(parent, [self.pid, 'ready']);
  const message = await self.receive(
    (term): term is unknown[] =>
      isTuple(term) &&
      (term[0] === 'take over' || (term[0] === 'EXIT' && (term[1] === parent || term[1] === server))),
  );
  if (message[0] === 'EXIT') return self.exit(message[2]);
  self.unlink(parent);
  const [, link, backlog] = message as ['take over', Link, unknown[]];
  await new Postman(self, link, backlog).run();
}

class Postman {
  #isOver = false;

  constructor(
    private readonly self: Self,
    private readonly link: Link,
    /** What the last postman had not handled; comes before all that is in the mailbox. */
    private readonly backlog: unknown[],
  ) {}

  async run(): Promise<void> {
    const { self, link, backlog } = this;
    if (link.peer === undefined) self.send_after(INTRODUCTION, self.pid, ['introduction', link.tube]);
    this.#pump();
    while (backlog.length > 0 && !this.#isOver) await this.#handle(backlog.shift());
    let handled = 0;
    while (!this.#isOver) {
      await this.#handle(await self.receive());
      // A name has to be there, because it is by name that the server finds the next postman.
      if (++handled >= SHIFT && link.peer !== undefined && !this.#isOver) return this.handOver();
    }
  }

  async #handle(message: unknown): Promise<void> {
    const { self, link } = this;
    if (!isTuple(message)) return;
    const [first, second, third] = message;
    if (first === link.tube && isTuple(second) && second[0] === 'data') this.#takePacket(second[1] as Buffer);
    else if (first === 'can_send' && second === link.tube) this.#takeSlots(third as number | 'closed');
    else if (first === 'EXIT' && second === link.tube) await this.#end(third);
    else if (first === 'EXIT' && second === link.server) self.exit(third);
    else if (first === 'introduction') this.#checkIntroduction();
    else this.#obey(message as ServerMessage);
  }

  #obey(message: ServerMessage): void {
    const { link } = this;
    switch (message[0]) {
      case 'call':
        link.calls.push({ from: message[1], message: message[2], deadline: message[3] });
        this.#callNext();
        break;
      case 'send':
        link.post(message[2], message[1]);
        break;
      case 'returns':
        link.isServing = false;
        link.post(message[1]);
        break;
      case 'refused':
        this.#break(message[1]);
        return;
      default:
        // Nobody else sends anything that has to be understood.
        return;
    }
    this.#pump();
  }

  // ---- Sending

  /** Sends as much as it may, then asks again. */
  #pump(): void {
    const { self, link } = this;
    const { parcels, traffic } = link;
    while (link.slots > 0 && parcels[0] !== undefined) {
      const [parcel] = parcels;
      const packet = packetAt(parcel.message, parcel.next++);
      try {
        self.port_command(link.tube, packet);
      } catch (error) {
        if (error instanceof ErlangError && error.reason === 'badarg') return; // Closed: its 'EXIT' is in the mailbox.
        throw error;
      }
      link.slots--;
      traffic.packetsSent++;
      traffic.bytesSent += packet.length;
      if (parcel.next < parcel.packets) continue;
      parcels.shift();
      if (parcel.sender) gen_server.reply(self, parcel.sender, 'ok');
    }
    if (parcels.length > 0 && !link.isAsking) {
      link.isAsking = tube.can_send_async(self, link.tube) === 'ok';
    }
  }

  #takeSlots(slots: number | 'closed'): void {
    this.link.isAsking = false;
    if (slots === 'closed') return;
    this.link.slots = slots;
    this.#pump();
  }

  /** Makes the next call that somebody still waits for. */
  #callNext(): void {
    const { self, link } = this;
    while (link.calling === undefined) {
      const call = link.calls.shift();
      if (call === undefined) return;
      if (performance.now() >= call.deadline || !self.is_process_alive(call.from[0])) continue;
      link.calling = call;
      link.post(call.message);
    }
  }

  // ---- Receiving

  #takePacket(packet: Buffer): void {
    const { link } = this;
    if (link.isBroken) return;
    link.traffic.packetsReceived++;
    link.traffic.bytesReceived += packet.length;
    try {
      const bytes = link.assembler.add(packet);
      // A name fits into one packet, so a stranger gets no memory.
      if (bytes === undefined && link.peer === undefined) throw new ProtocolError('expected $iam');
      if (bytes !== undefined) this.#takeMessage(parseMessage(bytes));
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      this.#break(['protocol', Buffer.from(error.message)]);
    }
  }

  #takeMessage(message: Message): void {
    const { self, link } = this;
    const [tag] = message;
    if ((tag === '$iam') !== (link.peer === undefined))
      throw new ProtocolError('expected $iam once, and first');
    switch (tag) {
      case '$iam':
        link.peer = message[1];
        self.send(link.server, ['introduced', self.pid, link] satisfies PostmanMessage);
        return;
      case '$call':
        if (link.isServing) throw new ProtocolError('expected one call at a time');
        link.isServing = true;
        self.send(link.server, ['serve', link.tube, message] satisfies PostmanMessage);
        return;
      case '$call_no_return':
        self.send(link.server, ['serve', link.tube, message] satisfies PostmanMessage);
        return;
      case '$returns': {
        const { calling } = link;
        if (calling === undefined) throw new ProtocolError('expected no $returns without a call');
        link.calling = undefined;
        gen_server.reply(self, calling.from, message[1]);
        this.#callNext();
        this.#pump();
      }
    }
  }

  #checkIntroduction(): void {
    if (this.link.peer === undefined) this.#break('timeout');
  }

  /** Closes the tube; whoever is linked to it, this process too, hears the reason. */
  #break(reason: unknown): void {
    this.link.isBroken = true;
    this.self.exit(this.link.tube, reason);
  }

  // ---- The end of the shift, and of the tube

  /**
   * Makes a fresh process the postman. The order in which things come to the heir is the order in which they came:
   *
   * - Packets come to this process up to port_connect and to the heir from then on; requests come here until the
   *   server has noted the move. The heir looks at neither before it has been given the backlog, which is made when
   *   nothing more can come here, and handles that first. So a half-received message, the open call, the slots that
   *   are left and the queues go on as they were: they are in the link.
   * - One answer still comes here: that to a can_send that this process has asked for. The heir does not ask
   *   again meanwhile; it is forwarded, and comes at the latest when the tube closes.
   */
  private async handOver(): Promise<void> {
    const { self, link } = this;
    const heir = await makeHeir(self, link.server);
    const closed = giveTube(self, link.tube, heir);
    await this.#tellServer(['moved', self.pid, link, heir]);
    const backlog = await takeAll(self, isAny);
    self.send(heir, ['take over', link, [...backlog, ...closed]]);
    const isSlots = (message: unknown): message is unknown[] =>
      isTuple(message) && message[0] === 'can_send' && message[1] === link.tube;
    if (link.isAsking && !backlog.some(isSlots)) self.send(heir, await self.receive(isSlots));
  }

  async #end(reason: unknown): Promise<void> {
    const { self, link } = this;
    this.#isOver = true;
    await this.#tellServer(['over', self.pid, link, reason]);
    // No request comes any more; those that have come get their answer.
    const requests = [...this.backlog, ...(await takeAll(self, isAny))] as ServerMessage[];
    const callers = requests
      .filter((message) => isTuple(message) && (message[0] === 'call' || message[0] === 'send'))
      .map((message) => message[1] as gen_server.From);
    for (const from of [...link.takeWaiting(), ...callers]) {
      gen_server.reply(self, from, ['badrpc', 'nodedown']);
    }
    if (link.connecting)
      gen_server.reply(self, link.connecting, ['error', reason === 'normal' ? 'closed' : reason]);
  }

  async #tellServer(message: PostmanMessage): Promise<void> {
    const { self, link } = this;
    self.send(link.server, message);
    const isAnswer = (term: unknown): term is unknown[] =>
      isTuple(term) &&
      ((term[0] === 'noted' && term[1] === link.tube) || (term[0] === 'EXIT' && term[1] === link.server));
    const answer = await self.receive(isAnswer);
    if (answer[0] === 'EXIT') self.exit(answer[2]);
  }
}

/** All messages that the guard accepts, as far as they have come. */
async function takeAll(self: Self, guard: (message: unknown) => message is unknown): Promise<unknown[]> {
  const messages: unknown[] = [];
  for (;;) {
    const message = await self.receive(guard, { after: 0 });
    if (message === undefined) return messages;
    messages.push(message);
  }
}

function isAny(_message: unknown): _message is unknown {
  return true;
}
