import { TubeResources } from '#ports/drivers/tube-resources';
import type { Domid } from '#xen/hypervisor';
import { LinuxHypervisor } from '#xen/linux-hypervisor';
import { CONNECTED, INIT_WAIT, INITIALISED, NOCK, TIP, tubeKeys } from '#xen/tube-handshake';
import { eventually } from './residue';

/** A domain without a tube_server: whoever speaks the tubes' protocol by hand, as its author likes. */
export class HandMadePeer {
  readonly resources: TubeResources;

  private constructor(readonly hypervisor: LinuxHypervisor) {
    this.resources = new TubeResources(hypervisor);
  }

  static async join(directory: string): Promise<HandMadePeer> {
    return new HandMadePeer(await LinuxHypervisor.connect({ name: 'by hand', directory }));
  }

  get domid(): Domid {
    return this.hypervisor.domid;
  }

  /** Answers invitations with these keys, and then says that it has connected. */
  async answer(
    keys: (opener: Domid, tid: number) => Promise<Record<string, string | number>>,
  ): Promise<void> {
    const { xenstore } = this.hypervisor;
    await xenstore.mkdir(TIP);
    await xenstore.setPerms(TIP, [`b${this.domid}`]);
    await xenstore.watch(TIP, async (path) => {
      const [, opener, tid] = /tip\/(\d+)\/(\d+)\/nock$/.exec(path) ?? [];
      if (tid === undefined) return;
      const { tip, nock } = tubeKeys(Number(opener), this.domid, Number(tid));
      try {
        const offered = await keys(Number(opener), Number(tid));
        await this.#write(tip, { ...offered, state: INITIALISED });
        // Until it has connected, or has given up.
        let state = String(INIT_WAIT);
        while (state === String(INIT_WAIT)) state = await xenstore.readString(`${nock}/state`);
        if (state === String(CONNECTED)) await this.#write(tip, { state: CONNECTED });
      } catch (error) {
        // The opener may have given up, and removed what this would like to write.
        if (!/ENOENT|EACCES|ENOTCONN|ECONNRESET/.test(`${(error as NodeJS.ErrnoException).code}`))
          throw error;
      }
    });
  }

  /** Invites, with these keys besides LING's. */
  async invite(acceptor: Domid, tid: number, keys: Record<string, string>): Promise<void> {
    const { xenstore } = this.hypervisor;
    const { tip, nock } = tubeKeys(this.domid, acceptor, tid);
    await xenstore.mkdir(NOCK);
    await xenstore.setPerms(NOCK, [`r${this.domid}`]);
    await xenstore.mkdir(tip);
    await this.#write(nock, { tip, ...keys, state: INIT_WAIT });
    await xenstore.write(`${tip}/nock`, nock);
  }

  /** What the other side offers to who has invited it. */
  async offer(acceptor: Domid, tid: number): Promise<Record<string, string>> {
    const { xenstore } = this.hypervisor;
    const { tip } = tubeKeys(this.domid, acceptor, tid);
    await this.#reaches(tip, INITIALISED);
    const names = await xenstore.directory(tip);
    const values = names.map(async (name) => [name, await xenstore.readString(`${tip}/${name}`)] as const);
    return Object.fromEntries(await Promise.all(values));
  }

  /** Says that the tube that it has opened is connected, and waits until the other side says so as well. */
  async connected(acceptor: Domid, tid: number): Promise<void> {
    const { tip, nock } = tubeKeys(this.domid, acceptor, tid);
    await this.#write(nock, { state: CONNECTED });
    await this.#reaches(tip, CONNECTED);
  }

  async leave(): Promise<void> {
    this.resources.release();
    await this.hypervisor.close();
  }

  async #write(directory: string, values: Record<string, string | number>): Promise<void> {
    for (const [key, value] of Object.entries(values))
      await this.hypervisor.xenstore.write(`${directory}/${key}`, String(value));
  }

  async #reaches(directory: string, state: number): Promise<void> {
    const look = () => this.hypervisor.xenstore.readString(`${directory}/state`).catch(() => undefined);
    await eventually(look, String(state));
  }
}
