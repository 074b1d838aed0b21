import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { eventually, fake, rarely, response, says } from './fake.mjs';

const accepted = response(202, '', '{}');

test('outcomes are sent together', async (t) => {
  const [client, sidecar] = await fake(t, says(accepted), rarely);
  const before = Date.now();
  client.success('a/b', 1.5);
  client.failure('a/b', NaN);
  client.success('a/b', -1);
  assert.equal(client.stats().outcomesWaiting, 3);
  assert.equal(await client.flush(), true);
  assert.match(sidecar.requests[0].head, /^POST \/v1\/flags\/a%2Fb\/outcomes /);
  const said = sidecar.requests[0].body;
  assert.deepEqual(said.map(({ outcome, latency_ms: latency }) => [outcome, latency]), [
    ['success', 1.5], ['failure', undefined], ['success', undefined],
  ]);
  assert.ok(said.every(({ began_ms: began }) => Number.isInteger(began) && began >= before - 2 && began <= Date.now()));
});

test('outcomes are sent by themselves', async (t) => {
  const [client] = await fake(t, says(accepted), { flushIntervalMs: 1 });
  client.success('f');
  await eventually('the flush', () => client.stats().outcomesSent === 1);
});

test('a thousand do not wait, and a request has a thousand', async (t) => {
  const [client, sidecar] = await fake(t, says(accepted), rarely);
  for (let call = 0; call < 2500; call += 1) {
    client.success('f');
  }
  await eventually('the flush', () => client.stats().outcomesSent === 2500);
  assert.deepEqual(sidecar.requests.map(({ body }) => body.length), [1000, 1000, 500]);
});

for (const [status, count] of [
  [500, 'outcomesWaiting'], [503, 'outcomesWaiting'], [429, 'outcomesWaiting'], [400, 'outcomesRefused'],
  [401, 'outcomesRefused'], [202, 'outcomesSent'],
]) {
  test(`outcomes and ${status}`, async (t) => {
    const [client] = await fake(t, says(response(status, '', '{}')), rarely);
    client.success('f');
    assert.equal(await client.flush(), status === 202);
    const { questions, defaults, ...counts } = client.stats();
    assert.equal(counts[count], 1);
    assert.equal(Object.values(counts).reduce((a, b) => a + b), 1);
  });
}

test('Retry-After is of one flag', async (t) => {
  const answer = (socket, { head }) => socket.write(head.includes('busy') ? response(429, 'Retry-After: 60\r\n', '') : accepted);
  const [client, sidecar] = await fake(t, answer, rarely);
  client.success('busy');
  for (let call = 0; call < 3; call += 1) {
    client.success('other');
    assert.equal(await client.flush(), false);
  }
  const { outcomesWaiting, outcomesSent } = client.stats();
  assert.deepEqual([outcomesWaiting, outcomesSent, sidecar.requests.length], [1, 3, 4]);
});

test('what could not be sent is sent again, the oldest first', async (t) => {
  const answers = [response(503, '', ''), accepted];
  const [client, sidecar] = await fake(t, (socket) => socket.write(answers.shift()), rarely);
  client.success('f', 1);
  const flushed = client.flush();
  client.success('f', 2);
  assert.equal(await flushed, false);
  assert.equal(await client.flush(), true);
  assert.deepEqual(sidecar.requests[1].body.map(({ latency_ms: latency }) => latency), [1, 2]);
});

test('a flush does not try each flag when the sidecar is away', async (t) => {
  const [client, sidecar] = await fake(t, (socket) => socket.destroy(), rarely);
  ['a', 'b', 'c'].forEach((flag) => client.success(flag));
  assert.equal(await client.flush(), false);
  assert.deepEqual([sidecar.requests.length, client.stats().outcomesWaiting], [1, 3]);
});

test('a full buffer drops its oldest, and a flush keeps its deadline', async (t) => {
  const [client, sidecar] = await fake(t, says(''), { ...rarely, maxOutcomes: 3 });
  for (let latency = 1; latency <= 5; latency += 1) {
    client.success('f', latency);
  }
  assert.equal(await client.flush(50), false);
  const { outcomesDropped, outcomesWaiting } = client.stats();
  assert.deepEqual([outcomesDropped, outcomesWaiting], [2, 3]);
  assert.deepEqual(sidecar.requests[0].body.map(({ latency_ms: latency }) => latency), [3, 4, 5]);
});

test('closing sends what waits', async (t) => {
  const [client, sidecar] = await fake(t, says(accepted), rarely);
  client.success('f');
  await Promise.all([client.close(), client.close()]);
  assert.deepEqual([sidecar.requests.length, client.stats().outcomesSent], [1, 1]);
});

test('a flush that outlasts the second that close takes', async (t) => {
  const answer = (socket) => setTimeout(() => socket.write(response(503, '', '')), 700);
  const [client, sidecar] = await fake(t, answer, { flushIntervalMs: 1 });
  client.success('a');
  client.success('b');
  await eventually('the flush in the background', () => sidecar.requests.length === 1);
  await client.close();
  await eventually('no outcome that waits', () => client.stats().outcomesWaiting === 0);
  assert.equal(client.stats().outcomesDropped, 2);
});

test('guards', async (t) => {
  const [client, sidecar] = await fake(t, says(accepted), rarely);
  const own = new Error('own');
  const thrower = () => {
    throw own;
  };
  for (const [block, options, expected] of [
    [() => 1, undefined, 'success'],
    [async () => 1, undefined, 'success'],
    [thrower, undefined, 'failure'],
    [async () => thrower(), undefined, 'failure'],
    [() => 1, { failed: (result) => result === 1 }, 'failure'],
    [thrower, { failedError: (error) => error !== own }, 'success'],
    [() => 1, { failed: thrower }, 'success'],
    [thrower, { failedError: thrower }, 'success'],
  ]) {
    const ended = await client.guard('f', block, options).catch((error) => error);
    assert.ok(ended === 1 || ended === own);
    await client.flush();
    assert.equal(sidecar.requests.at(-1).body[0].outcome, expected, `${block} ${JSON.stringify(options)}`);
  }
  await client.guard('f', () => sleep(5));
  await client.flush();
  assert.ok(sidecar.requests.at(-1).body[0].latency_ms >= 4);
});

test('a program ends, and its outcomes are sent', async (t) => {
  const [, sidecar] = await fake(t, says(accepted));
  const index = fileURLToPath(new URL('../index.js', import.meta.url));
  const program = `
    const { Client } = require(${JSON.stringify(index)});
    new Client({ url: ${JSON.stringify(sidecar.url)}, flushIntervalMs: 1e9 }).success('f');`;
  const child = spawn(process.execPath, ['-e', program], { stdio: 'inherit' });
  assert.deepEqual(await once(child, 'exit'), [0, null]);
  assert.equal(sidecar.requests.length, 1);
});
