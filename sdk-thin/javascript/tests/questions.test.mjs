import assert from 'node:assert/strict';
import http from 'node:http';
import { createRequire } from 'node:module';
import net from 'node:net';
import { test } from 'node:test';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from '../index.js';
import { answering, echo, ends, eventually, fake, ofrep, patient, response, says } from './fake.mjs';

test('a question is OFREP', async (t) => {
  const [client, sidecar] = await fake(t, says(answering('"blue"')), { ...patient, token: 'secret' });
  const got = await client.evaluate('a/b c', 'user-42', { country: 'DE', targetingKey: 'ignored' }, 'red');
  assert.deepEqual(got, {
    flag: 'a/b c', value: 'blue', variant: 'v', active: true, reason: 'STATIC', metadata: { active: true },
    error: '', errorDetails: '',
  });
  assert.match(sidecar.requests[0].head, /^POST \/ofrep\/v1\/evaluate\/flags\/a%2Fb%20c HTTP/);
  assert.match(sidecar.requests[0].head, /Authorization: Bearer secret/);
  assert.doesNotMatch(sidecar.requests[0].head, /Accept-Encoding/i);
  assert.deepEqual(sidecar.requests[0].body, { context: { country: 'DE', targetingKey: 'user-42' } });
  assert.equal(await client.variant('f', 'u'), 'v');
  await client.isActive('f', undefined, { targetingKey: 'ignored' });
  assert.deepEqual(sidecar.requests.at(-1).body, { context: {} });
  assert.equal(sidecar.accepted, 1);
});

test('a value has the type of the default', async (t) => {
  let text;
  const [client] = await fake(t, (socket) => socket.write(answering(text)), patient);
  for (const [value, defaultValue, same] of [
    [true, false, true], ['x', 'y', true], [5.5, 1, true], [{ a: 1 }, {}, true], ['x', null, true], ['x', undefined, true],
    [1, true, false], ['5', 5, false], ['x', {}, false], [{ a: 1 }, [], false], [true, 'x', false],
  ]) {
    text = JSON.stringify(value);
    const got = await client.evaluate('f', 'u', {}, defaultValue);
    assert.deepEqual([got.value, got.error], same ? [value, ''] : [defaultValue, 'TYPE_MISMATCH']);
  }
});

const chunked = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n';

for (const [name, answer, error] of [
  ['half a head', ends(answering('true').slice(0, 30)), 'BROKEN'],
  ['half a body', ends('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{'), 'BROKEN'],
  ['half a chunk', ends(`${chunked}ff\r\n{`), 'BROKEN'],
  ['a wrong chunk', ends(`${chunked}xyz\r\n{`), 'INVALID_RESPONSE'],
  ['nothing', ends(''), 'BROKEN'],
  ['a reset', (socket) => socket.resetAndDestroy(), 'BROKEN'],
  ['garbage', ends('\0\xff\r\n\r\n'), 'INVALID_RESPONSE'],
  ['another protocol', says('HTTP/1.1 101 S\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n'), 'INVALID_RESPONSE'],
  ['no JSON', says(response(200, '', '<html>')), 'INVALID_RESPONSE'],
  ['a list', says(response(200, '', '[]')), 'INVALID_RESPONSE'],
  ['null', says(response(200, '', 'null')), 'INVALID_RESPONSE'],
  ['a value that is null', says(answering('null')), 'INVALID_RESPONSE'],
  ['too much', says(response(200, '', ofrep('true') + ' '.repeat(2 ** 20))), 'INVALID_RESPONSE'],
  ['a huge header', says(response(200, `X: ${'x'.repeat(1e5)}\r\n`, '{}')), 'INVALID_RESPONSE'],
  ['not found', says(response(404, '', '{"errorCode":"FLAG_NOT_FOUND"}')), 'FLAG_NOT_FOUND'],
  ['unauthorized', says(response(401, '', '{"errorCode":"GENERAL"}')), 'GENERAL'],
  ['a redirect', says(response(302, 'Location: http://127.0.0.1:9/\r\n', '')), 'GENERAL'],
]) {
  test(`default after ${name}`, async (t) => {
    const [client] = await fake(t, answer, patient);
    const got = await client.evaluate('f', 'u', {}, true);
    assert.deepEqual([got.error, got.value, got.active, got.reason], [error, true, true, 'ERROR']);
    assert.deepEqual(client.stats().defaults, { [error]: 1 });
  });
}

async function trickle(socket) {
  for (const letter of answering('true')) {
    if (socket.destroyed) {
      return;
    }
    socket.write(letter);
    await sleep(20);
  }
}

for (const [name, answer] of [['silence', says('')], ['a byte every 20 ms', trickle], ['half', says(answering('true').slice(0, 60))]]) {
  test(`the deadline is of the whole question: ${name}`, async (t) => {
    const [client, sidecar] = await fake(t, answer);
    assert.equal((await client.evaluate('f')).error, 'TIMEOUT');
    await eventually('the end of the connection', () => sidecar.sockets.size === 0);
  });
}

const chunks = [...ofrep('true')].map((letter) => `1\r\n${letter}\r\n`).join('');
for (const [name, answer] of [
  ['chunks of a byte', says(`${chunked}${chunks}0\r\n\r\n`)],
  ['an interim response', says(`HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n${answering('true')}`)],
  ['a connection that ends', ends(response(200, 'Connection: close\r\n', ofrep('true')))],
  ['a connection that ends without a word', ends(answering('true'))],
  ['a body up to the end', ends(`HTTP/1.1 200 OK\r\n\r\n${ofrep('true')}`)],
]) {
  test(`an answer with ${name}`, async (t) => {
    const [client] = await fake(t, answer, patient);
    assert.deepEqual([await client.value('f'), await client.value('f')], [true, true]);
  });
}

test('nobody listens', async (t) => {
  const [, sidecar] = await fake(t, says(''));
  const server = net.createServer();
  await new Promise((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const { port } = server.address();
  await new Promise((resolve) => {
    server.close(resolve);
  });
  for (const url of [`http://127.0.0.1:${port}`, 'unix:/no/such/socket']) {
    const client = new Client({ ...patient, url, logger: { warn() {} } });
    assert.equal((await client.evaluate('f')).error, 'REFUSED');
    await client.close();
  }
  assert.equal(sidecar.accepted, 0);
});

test('a unix socket', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'tailslide-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const [client] = await fake(t, says(answering('true')), patient, { path: join(folder, 's') });
  assert.equal(await client.isActive('f'), true);
});

test('a kept connection that ended is left for a new one', async (t) => {
  const [client, sidecar] = await fake(t, says(answering('true')), patient);
  for (const connections of [1, 2, 3]) {
    assert.equal((await client.evaluate('f')).error, '');
    assert.equal(sidecar.accepted, connections);
    sidecar.drop();
  }
});

test('there is one second try', async (t) => {
  let leaves = false;
  const [client, sidecar] = await fake(t, (...given) => (leaves ? given[0].destroy() : echo(...given)), patient);
  await Promise.all(['a', 'b', 'c', 'd'].map((key) => client.value('f', key)));
  leaves = true;
  const before = sidecar.accepted;
  assert.equal((await client.evaluate('f')).error, 'BROKEN');
  assert.equal(sidecar.accepted, before + 1);
});

test('an answer too many is nobody’s', async (t) => {
  const [client] = await fake(t, (socket, request) => {
    echo(socket, request);
    socket.write(answering('"stray"'));
  }, patient);
  for (const key of ['a', 'b', 'c']) {
    assert.notEqual(await client.value('f', key), 'stray');
  }
});

test('a pause after five troubles', async (t) => {
  let leaves = true;
  const [client, sidecar] = await fake(t, (...given) => (leaves ? given[0].destroy() : echo(...given)), patient);
  const errors = [];
  for (let call = 0; call < 5; call += 1) {
    errors.push((await client.evaluate('f', 'u')).error);
  }
  assert.deepEqual(new Set(errors), new Set(['BROKEN']));
  const paused = await Promise.all(Array.from({ length: 20 }, () => client.evaluate('f', 'u')));
  assert.ok(paused.filter(({ error }) => error === 'PAUSED').length >= 19);
  assert.ok(sidecar.requests.length <= 6);
  leaves = false;
  while ((await client.evaluate('f', 'u')).error) {
    await sleep(1);
  }
  assert.equal((await client.evaluate('f', 'u')).error, '');
});

test('nothing is thrown', async (t) => {
  const [client] = await fake(t, says(answering('true')), patient);
  const thrower = () => {
    throw null;
  };
  const own = { get a() { return thrower(); } };
  for (const attributes of [{ a: 1n }, 'text', [1], { toJSON: thrower }, own]) {
    assert.equal((await client.evaluate('f', 'u', attributes)).error, 'INVALID_CONTEXT');
  }
  for (const flag of [undefined, null, '', Symbol('f'), {}, '\ud800']) {
    assert.equal((await client.evaluate(flag)).error, 'FLAG_NOT_FOUND');
    client.success(flag);
  }
  assert.equal(client.stats().outcomesRefused, 6);
  await client.close();
  client.success('f');
  assert.equal(client.stats().outcomesDropped, 1);
  assert.equal((await client.evaluate('f')).error, 'CLOSED');
});

test('a crowd gets its own answers, and 16 connections are kept', async (t) => {
  const [client, sidecar] = await fake(t, echo, patient);
  const keys = Array.from({ length: 100 }, (_, index) => `user-${index}`);
  assert.deepEqual(await Promise.all(keys.map((key) => client.value('f', key, {}, ''))), keys);
  await eventually('16 connections', () => sidecar.sockets.size === 16);
  await client.close();
  await eventually('the end of all connections', () => sidecar.sockets.size === 0);
});

test('warnings come once a minute and tell no secrets', async (t) => {
  const lines = [];
  const logger = { warn: (text) => lines.push(text) };
  const [client] = await fake(t, says(response(500, '', '')), { ...patient, logger, token: 'secret-token' });
  for (let call = 0; call < 3; call += 1) {
    await client.evaluate('f', 'secret-user', { a: 'secret' });
  }
  assert.equal(lines.length, 1);
  assert.match(lines[0], /^tailslide: 1 questions got their defaults; the latest trouble: GENERAL: HTTP status 500/);
  assert.doesNotMatch(lines[0], /secret/);
});

test('settings that cannot be right', () => {
  for (const settings of [
    { url: 'https://h' }, { url: 'h:1' }, { url: 'http://h/p' }, { url: 'unix:' }, { url: '' }, { proxyUrl: 'unix:/p' },
    { proxyUrl: '' }, { timeoutMs: 0 }, { timeoutMs: '5' }, { flushIntervalMs: -1 }, { maxOutcomes: 0 }, { token: 'a\nb' },
  ]) {
    assert.throws(() => new Client(settings), /expected/, JSON.stringify(settings));
  }
});

test('settings of the environment', (t) => {
  const { TAILSLIDE_PROXY_URL: before } = process.env;
  t.after(() => (before === undefined ? delete process.env.TAILSLIDE_PROXY_URL : (process.env.TAILSLIDE_PROXY_URL = before)));
  process.env.TAILSLIDE_PROXY_URL = 'http://proxy:1/';
  assert.equal(new Client().proxyUrl('pay'), 'http://proxy:1/pay');
  process.env.TAILSLIDE_PROXY_URL = '';
  assert.equal(new Client().proxyUrl('/pay'), 'http://127.0.0.1:4140/pay');
  process.env.TAILSLIDE_PROXY_URL = 'ftp://proxy';
  assert.throws(() => new Client(), /proxyUrl: expected/);
});

test('calls through the proxy', async (t) => {
  const proxy = http.createServer((request, answer) => answer.end(`${request.url} ${request.headers.host}`));
  await new Promise((resolve) => {
    proxy.listen(0, '127.0.0.1', resolve);
  });
  const client = new Client({ proxyUrl: `http://127.0.0.1:${proxy.address().port}` });
  t.after(async () => {
    await client.close();
    proxy.close();
  });
  for (const [url, host] of [
    ['http://payments.internal/pay?a=1', 'payments.internal'], ['http://payments.internal:81/', 'payments.internal:81'],
    ['http://[::1]:82/', '[::1]:82'],
  ]) {
    const body = await new Promise((resolve, reject) => {
      const answered = (answer) => answer.on('data', (chunk) => resolve(String(chunk)));
      http.get(url, { agent: client.proxyAgent }, answered).on('error', reject);
    });
    assert.equal(body, `${url} ${host}`);
  }
});

test('one client for import and require', () => {
  assert.equal(createRequire(import.meta.url)('../index.js').Client, Client);
});

test('the types have the names of the client', async (t) => {
  const types = readFileSync(new URL('../index.d.ts', import.meta.url), 'utf8');
  const declared = (type) => {
    const [body] = new RegExp(`export (class|interface) ${type}\\b[^]*?\\n}`).exec(types);
    return [...new Set([...body.matchAll(/^  (?:readonly )?(\w+)[?:<(]/gm)].map(([, name]) => name))].sort();
  };
  const [client] = await fake(t, says(answering('true')), patient);
  const own = [...Object.getOwnPropertyNames(Client.prototype), ...Object.keys(client)];
  assert.deepEqual(declared('Client'), own.sort());
  assert.deepEqual(declared('Evaluation'), Object.keys(await client.evaluate('f')).sort());
  assert.deepEqual(declared('Stats'), Object.keys(client.stats()).sort());
});
