/** How long what the tests have left may take to end, in milliseconds. */
const PATIENCE = 10_000;

/** Beside jest's own: a run that hangs says where, and one that something left behind keeps open fails. */
module.exports = class {
  onTestFileStart({ path }) {
    if (!process.stdout.isTTY) console.log(`RUNS ${path.slice(process.cwd().length + 1)}`);
  }

  onRunComplete() {
    setTimeout(() => {
      console.error('Something that the tests have left keeps jest from ending.');
      // Not by process.exit, which waits for threads that may be what does not end.
      process.kill(process.pid, 'SIGKILL');
    }, PATIENCE).unref();
  }
};
