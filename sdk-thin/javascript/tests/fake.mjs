// A fake sidecar on raw sockets, which answers what each test says.

import net from 'node:net';
import { Client } from '../index.js';

const logger = { warn() {} };

/** For questions that are to be answered, however busy the machine. */
export const patient = { timeoutMs: 10_000 };
/** For outcomes that the test itself flushes. */
export const rarely = { flushIntervalMs: 1e9 };

/** Starts a sidecar that calls `answer(socket, request)` for each request, and a client of it. */
export async function fake(t, answer, settings = {}, listen = { port: 0, host: '127.0.0.1' }) {
  const sockets = new Set();
  const sidecar = { requests: [], accepted: 0, drop: () => sockets.forEach((socket) => socket.destroy()), sockets };
  const server = net.createServer((socket) => {
    sidecar.accepted += 1;
    sockets.add(socket);
    let text = '';
    socket.on('close', () => sockets.delete(socket)).on('error', () => {});
    socket.on('data', (chunk) => {
      text += chunk;
      for (;;) {
        const end = text.indexOf('\r\n\r\n');
        const length = Number(/content-length: (\d+)/i.exec(text)?.[1] ?? 0);
        if (end < 0 || text.length < end + 4 + length) {
          return;
        }
        const request = { head: text.slice(0, end), body: JSON.parse(text.slice(end + 4, end + 4 + length)) };
        text = text.slice(end + 4 + length);
        sidecar.requests.push(request);
        answer(socket, request);
      }
    });
  });
  await new Promise((resolve) => {
    server.listen(listen, resolve);
  });
  sidecar.url = listen.path ? `unix:${listen.path}` : `http://127.0.0.1:${server.address().port}`;
  const client = new Client({ url: sidecar.url, logger, ...settings });
  t.after(async () => {
    sidecar.drop();
    server.close();
    await client.close();
  });
  return [client, sidecar];
}

export const says = (text) => (socket) => socket.write(text);
export const ends = (text) => (socket) => socket.end(text);

export function response(status, headers, body) {
  return `HTTP/1.1 ${status} S\r\nContent-Length: ${body.length}\r\n${headers}\r\n${body}`;
}

export const ofrep = (value) => `{"value":${value},"variant":"v","reason":"STATIC","metadata":{"active":true}}`;
export const answering = (value) => response(200, '', ofrep(value));

/** Answers with the targeting key as the value. */
export const echo = (socket, { body }) => socket.write(answering(JSON.stringify(body.context.targetingKey)));

export async function eventually(what, holds) {
  const end = Date.now() + 10_000;
  while (!holds()) {
    if (Date.now() > end) {
      throw new Error(`waited in vain for ${what}`);
    }
    await new Promise((resolve) => {
      setTimeout(resolve, 1);
    });
  }
}
