// Runs the function that a test sends it: see program.ts.
const heard = [];
let wake = () => {};

// The test has been ended: nobody else would end this.
const abandoned = () => process.exit(1);
process.once('disconnect', abandoned);

process.once('message', async ({ source, args, uid }) => {
  if (uid !== undefined) become(uid);
  process.on('message', (message) => {
    heard.push(message);
    wake();
  });
  // biome-ignore lint/security/noGlobalEval: the source is the test's own.
  const body = eval(`(${source})`);
  // What is said is sent before this ends.
  let sent = Promise.resolve();
  const say = (message) => {
    sent = new Promise((resolve) => process.send(message, resolve));
  };
  await body({ ling: require('ling-tubes'), say, listen }, ...args);
  await sent;
  process.off('disconnect', abandoned);
  process.disconnect();
});

/** Root becomes that user, for good. */
function become(uid) {
  process.setgroups([]);
  process.setgid(uid);
  process.setuid(uid);
}

async function listen() {
  while (heard.length === 0) {
    await new Promise((resolve) => {
      wake = resolve;
    });
  }
  return heard.shift();
}
