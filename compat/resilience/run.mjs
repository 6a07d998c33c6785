// Runs the circuit breaker's table (crates/guildhall-resilience/tests/table/breaker.json) on opossum and cockatiel, on a
// clock that only the table moves, and prints what differs as lines of a Markdown table.
//
//   npm install && node run.mjs
import { readFileSync } from 'node:fs';
import { install } from '@sinonjs/fake-timers';

const clock = install({ now: 1_000_000 });
const { default: Opossum } = await import('opossum');
const cockatiel = await import('cockatiel');

const table = JSON.parse(
  readFileSync(new URL('../../crates/guildhall-resilience/tests/table/breaker.json', import.meta.url)),
);

class Unsupported extends Error {}
class Ignored extends Error {}

// Each peer has the closest settings it offers. Limits of "more than" are set a hair lower, to mean "from".
const HAIR = 0.0001;

function opossum(config) {
  if (config.window.calls) throw new Unsupported('no count window');
  if (config.consecutiveFailures) throw new Unsupported('no rule for failures in a row');
  if (config.slowSeconds) throw new Unsupported('no rule for slow calls');
  const breaker = new Opossum((call) => call(), {
    timeout: false,
    errorThresholdPercentage: 100 * (config.failureRate - HAIR),
    volumeThreshold: config.minimumVolume,
    rollingCountTimeout: 1000 * config.window.buckets * config.window.width,
    rollingCountBuckets: config.window.buckets,
    resetTimeout: 1000 * config.openSeconds,
    errorFilter: (error) => error instanceof Ignored,
  });
  breaker.on('error', () => {});
  return {
    call: (run) => breaker.fire(run),
    state: () => (breaker.opened ? 'OPEN' : breaker.halfOpen ? 'HALF_OPEN' : 'CLOSED'),
    stop: () => breaker.shutdown(),
  };
}

function cockatielBreaker(config) {
  if (config.slowSeconds) throw new Unsupported('no rule for slow calls');
  const seconds = config.window.buckets * config.window.width;
  const breaker = config.consecutiveFailures
    ? new cockatiel.ConsecutiveBreaker(config.consecutiveFailures)
    : config.window.calls
      ? new cockatiel.CountBreaker({
          size: config.window.calls,
          threshold: config.failureRate - HAIR,
          minimumNumberOfCalls: config.minimumVolume,
        })
      : new cockatiel.SamplingBreaker({
          threshold: config.failureRate - HAIR,
          duration: 1000 * seconds,
          // Its volume is a rate.
          minimumRps: config.minimumVolume / seconds,
        });
  const policy = cockatiel.circuitBreaker(
    cockatiel.handleWhen((error) => !(error instanceof Ignored)),
    {
      breaker,
      halfOpenAfter: new cockatiel.ExponentialBackoff({
        initialDelay: 1000 * config.openSeconds,
        maxDelay: 1000 * config.openSecondsAtMost,
        generator: cockatiel.noJitterGenerator,
      }),
      halfOpenSampling: {
        calls: config.probes,
        threshold: (config.probeFailures - 1) / config.probes + HAIR,
      },
    },
  );
  const names = { 0: 'CLOSED', 1: 'OPEN', 2: 'HALF_OPEN' };
  return { call: (run) => policy.execute(run), state: () => names[policy.state], stop: () => {} };
}

// Lets every promise that can go on do so; no time passes.
async function settle() {
  for (let turn = 0; turn < 20; turn++) await Promise.resolve();
}

// Begins a call that ends when told to; `undefined` if it was refused.
async function begin(breaker) {
  let end;
  const held = new Promise((resolve, reject) => {
    end = (outcome) => {
      if (outcome === 'success') resolve();
      else reject(outcome === 'failure' ? new Error('failed') : new Ignored());
    };
  });
  held.catch(() => {});
  let began = false;
  const call = breaker.call(() => {
    began = true;
    return held;
  });
  Promise.resolve(call).catch(() => {});
  await settle();
  if (!began) return undefined;
  return async (outcome) => {
    end(outcome);
    await settle();
  };
}

async function calls(breaker, outcome, count) {
  for (let i = 0; i < count; i++) await (await begin(breaker))?.(outcome);
}

async function run(make, test) {
  const breaker = make({ ...table.defaults, ...test.config });
  const held = {};
  try {
    for (const event of test.events) {
      const said = JSON.stringify(event);
      if ('succeed' in event) await calls(breaker, 'success', event.succeed);
      else if ('fail' in event) await calls(breaker, 'failure', event.fail);
      else if ('ignore' in event) await calls(breaker, 'ignored', event.ignore);
      else if ('pass' in event) await clock.tickAsync(1000 * event.pass);
      else if ('begin' in event) {
        held[event.begin] = [];
        for (let i = 0; i < (event.times ?? 1); i++) held[event.begin].push(await begin(breaker));
      } else if ('end' in event) {
        for (const end of held[event.end]) await end?.(event.with);
      } else if ('drop' in event) {
        // A promise cannot be dropped: the nearest is an error that is said not to count.
        for (const end of held[event.drop]) await end?.('ignored');
      } else if ('admitted' in event) {
        const ends = [];
        for (let i = 0; i < event.of; i++) ends.push(await begin(breaker));
        const admitted = ends.filter((end) => end).length;
        if (admitted !== event.admitted) return `${admitted} admitted at \`${said}\``;
        for (const end of ends) await end?.('ignored');
      } else if ('expect' in event) {
        const state = breaker.state();
        if (state !== event.expect) return `${state} at \`${said}\``;
      } else throw new Error(`no event: ${said}`);
    }
  } finally {
    breaker.stop();
  }
  return 'as the table';
}

const peers = { opossum, cockatiel: cockatielBreaker };
console.log(`| case | ${Object.keys(peers).join(' | ')} |`);
console.log(`|---|${'---|'.repeat(Object.keys(peers).length)}`);
for (const test of table.cases) {
  const row = [test.name];
  for (const make of Object.values(peers)) {
    try {
      row.push(await run(make, test));
    } catch (error) {
      if (!(error instanceof Unsupported)) throw error;
      row.push(`(${error.message})`);
    }
  }
  console.log(`| ${row.join(' | ')} |`);
}
process.exit(0);
