/**
 * A character device with a Xenstore behind it: a pseudo terminal, which python3 connects with a socket. Of what the real
 * device does, /dev/xen/xenbus, it has the kind of file, reads and writes that are cut anywhere, and a full queue.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';

const BRIDGE = `
import os, pty, select, socket, sys, tty
master, slave = pty.openpty()
tty.setraw(slave)
store = socket.socket(socket.AF_UNIX)
store.connect(sys.argv[1])
print(os.ttyname(slave), flush=True)
while True:
    for ready in select.select([master, store], [], [])[0]:
        data = os.read(ready.fileno() if ready is store else ready, 700)
        if not data: sys.exit()
        if ready is store:
            while data: data = data[os.write(master, data):]
        else: store.sendall(data)
`;

export class Device {
  private constructor(
    readonly path: string,
    private readonly bridge: ChildProcess,
  ) {}

  static async to(socket: string): Promise<Device> {
    const bridge = spawn('python3', ['-c', BRIDGE, socket], { stdio: ['ignore', 'pipe', 'inherit'] });
    const [path] = await once(bridge.stdout.setEncoding('utf8'), 'data');
    return new Device(path.trim(), bridge);
  }

  /** What a program holds that has it open ends. */
  async unplug(): Promise<void> {
    if (this.bridge.kill('SIGKILL')) await once(this.bridge, 'close');
  }
}
