// A program of checks: the runner (programs.py) sends a name per line and gets one JSON line per check.
import { createInterface } from 'node:readline';
import { inspect } from 'node:util';

const LIMIT = 60_000; // milliseconds for one check
const checks = new Map();

// Standard output belongs to the runner; what clients print goes to standard error.
for (const level of ['log', 'info', 'debug']) {
  console[level] = console.error;
}

export function check(name, run) {
  if (checks.has(name)) {
    throw new Error(`two checks are called ${name}`);
  }
  checks.set(name, run);
}

function report(value) {
  process.stdout.write(JSON.stringify(value) + '\n');
}

async function timed(run) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not done within ${LIMIT / 1000} s`)), LIMIT);
  });
  try {
    await Promise.race([run(), late]);
  } finally {
    clearTimeout(timer);
  }
}

// What a rejected promise of an SDK carries besides its message: an OperationOutcome, a response.
function describe(error) {
  const outcome = error?.outcome ?? error?.response?.data;
  return `${error?.stack ?? inspect(error)}${outcome ? '\n' + JSON.stringify(outcome, null, 1) : ''}${
    error?.cause ? '\ncause: ' + inspect(error.cause) : ''}`;
}

process.on('unhandledRejection', (error) => console.error('unhandled rejection:', error));

/** Does the checks that the runner names, until it closes the input. `end` is called then. */
export async function serve(end = () => {}) {
  report({ ready: [...checks.keys()] });
  for await (const name of createInterface({ input: process.stdin })) {
    const answer = { check: name, ok: false };
    try {
      const run = checks.get(name);
      if (!run) {
        throw new Error('there is no such check');
      }
      await timed(run);
      answer.ok = true;
    } catch (error) {
      answer.error = describe(error);
    }
    report(answer);
  }
  await end();
  process.exit(0);
}
