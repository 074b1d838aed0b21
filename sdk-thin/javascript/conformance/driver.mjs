// Uses the client as the scenarios in tests/conformance/clients say; see the README there.

import http from 'node:http';
import { performance } from 'node:perf_hooks';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from '../index.js';

// The client warns on standard error; standard output is for answers.
const logger = { warn: (text) => process.stderr.write(`${text}\n`) };

let client;
let address = {};

async function timed(call) {
  const began = performance.now();
  const result = await call();
  return { result, ms: performance.now() - began };
}

const asked = (c) => [c.flag, c.targeting_key, c.attributes, c.default];

function report(outcome) {
  return ({ flag, latency_ms: latency, times = 1 }) => {
    const began = performance.now();
    for (let done = 0; done < times; done += 1) {
      client[outcome](flag, latency);
    }
    return { ms: performance.now() - began };
  };
}

/** Asks and tallies what came; never throws. */
async function ask(tally, flag, key) {
  const began = performance.now();
  tally.calls += 1;
  try {
    const { error, value } = await client.evaluate(flag, key);
    if (error) {
      tally.defaults += 1;
      tally.defaultsAt.push(Date.now());
    } else {
      tally.answeredAt.push(Date.now());
      tally.mixed += value === key ? 0 : 1;
    }
  } catch {
    tally.raised += 1;
  }
  tally.ms.push(performance.now() - began);
}

const newTally = () => ({ calls: 0, raised: 0, mixed: 0, defaults: 0, ms: [], answeredAt: [], defaultsAt: [] });
const sorted = (numbers) => numbers.sort((a, b) => a - b);
const timers = () => process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length;

const bareAgent = new http.Agent({ keepAlive: true });

function bare(flag) {
  const body = JSON.stringify({ context: { targetingKey: 'user-42' } });
  const headers = { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(body) };
  if (address.token) {
    headers.Authorization = `Bearer ${address.token}`;
  }
  return new Promise((resolve, reject) => {
    const url = `${address.url ?? 'http://127.0.0.1:4141'}/ofrep/v1/evaluate/flags/${flag}`;
    const request = http.request(url, { method: 'POST', headers, agent: bareAgent }, (response) => {
      const chunks = [];
      response.on('data', (chunk) => chunks.push(chunk));
      response.on('end', () => resolve(JSON.parse(Buffer.concat(chunks).toString())));
    });
    request.on('error', reject);
    request.end(body);
  });
}

const doings = {
  async open(c) {
    await client?.close();
    client = undefined;
    address = c;
    client = new Client({
      url: c.url, token: c.token, proxyUrl: c.proxy_url, timeoutMs: c.timeout_ms,
      flushIntervalMs: c.flush_interval_ms, maxOutcomes: c.max_outcomes, logger,
    });
    return {};
  },
  is_active: (c) => timed(() => client.isActive(...asked(c))),
  variant: (c) => timed(() => client.variant(...asked(c))),
  value: (c) => timed(() => client.value(...asked(c))),
  async evaluate(c) {
    const { result, ms } = await timed(() => client.evaluate(...asked(c)));
    const { errorDetails, ...rest } = result;
    return { result: { ...rest, error_details: errorDetails }, ms };
  },
  success: report('success'),
  failure: report('failure'),
  guard({ flag, block, failure }) {
    const blocks = {
      returns: () => 1,
      sleeps: () => sleep(20),
      raises: () => {
        throw new Error("the block's own");
      },
    };
    const thrower = () => {
      throw new Error("the predicate's own");
    };
    const options = {
      result: { failed: () => true },
      no_exception: { failedError: () => false },
      raises: { failed: thrower, failedError: thrower },
    };
    return timed(() => client.guard(flag, blocks[block], options[failure]).then(() => 'returned', () => 'raised'));
  },
  flush: (c) => timed(() => client.flush(c.timeout_ms)),
  stats() {
    const { questions, defaults, ...outcomes } = client.stats();
    return {
      result: {
        questions, defaults, outcomes_sent: outcomes.outcomesSent, outcomes_dropped: outcomes.outcomesDropped,
        outcomes_refused: outcomes.outcomesRefused, outcomes_waiting: outcomes.outcomesWaiting,
      },
    };
  },
  proxy_url: (c) => ({ result: client.proxyUrl(c.path) }),
  proxied: (c) =>
    new Promise((resolve) => {
      const failed = (error) => resolve({ result: { error: String(error.message || error.code) } });
      http.get(c.url, { agent: client.proxyAgent }, (response) => {
        const chunks = [];
        response.on('data', (chunk) => chunks.push(chunk));
        response.on('error', failed);
        response.on('end', () => resolve({ result: { status: response.statusCode, body: Buffer.concat(chunks).toString() } }));
      }).on('error', failed);
    }),
  async close() {
    const { ms } = await timed(() => client.close());
    return { ms };
  },
  async load(c) {
    const tally = newTally();
    const began = performance.now();
    const end = began + c.seconds * 1000;
    const interval = (1000 * c.workers) / c.calls_per_s;
    await Promise.all(
      Array.from({ length: c.workers }, async (_, worker) => {
        let next = began + (interval * worker) / c.workers;
        for (let call = 0; next < end; call += 1) {
          const wait = next - performance.now();
          if (wait > 0) {
            await sleep(wait);
          }
          await ask(tally, c.flag, `user-${worker}-${call}`);
          next = Math.max(next + interval, performance.now());
        }
      }),
    );
    const { calls, raised, ms, answeredAt, defaultsAt } = tally;
    return { calls, raised, ms: sorted(ms), answered_at: answeredAt, defaults_at: defaultsAt };
  },
  async crowd(c) {
    const tally = newTally();
    const before = timers();
    await Promise.all(
      Array.from({ length: c.workers }, async (_, worker) => {
        for (let call = 0; call < c.calls; call += 1) {
          await ask(tally, c.flag, `user-${worker}-${call}`);
        }
      }),
    );
    await sleep(300);
    const { calls, raised, mixed, defaults, ms } = tally;
    return { calls, raised, mixed, defaults, threads_left: Math.max(timers() - before, 0), ms: sorted(ms) };
  },
  async overhead(c) {
    const bareUs = [];
    const askUs = [];
    const outcomeUs = [];
    for (let call = 0; call < c.calls; call += 1) {
      bareUs.push((await timed(() => bare(c.flag))).ms * 1000);
      askUs.push((await timed(() => client.isActive(c.flag, 'user-42'))).ms * 1000);
      const began = performance.now();
      client.success(c.flag);
      outcomeUs.push((performance.now() - began) * 1000);
    }
    return { bare_us: bareUs, ask_us: askUs, outcome_us: outcomeUs };
  },
};

for await (const line of createInterface({ input: process.stdin })) {
  if (line.trim() === '') {
    continue;
  }
  let answer;
  try {
    const command = JSON.parse(line);
    answer = Object.hasOwn(doings, command.do) ? await doings[command.do](command) : { unsupported: true };
  } catch (error) {
    answer = { raised: String(error) };
  }
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}
await client?.close();
bareAgent.destroy();
