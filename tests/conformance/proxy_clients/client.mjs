// Node's own HTTP client with a keep-alive agent, told to go through the scenarios of tests/support/proxy_origin.py and to print
// what it was answered.
//
//   node client.mjs scenarios URL       every scenario once, over connections that are kept
//   node client.mjs bodies URL SIZE     a large body down, and up in both framings
//
// One JSON object a line; what it means is in the README of this folder.

import { createHash } from "node:crypto";
import http from "node:http";
import { pipeline } from "node:stream/promises";

const BLOCK = 65_536;
const [mode, base, size] = process.argv.slice(2);
const { hostname, port } = new URL(base);

let connections = 0;
class CountingAgent extends http.Agent {
  createConnection(...given) {
    connections += 1;
    return super.createConnection(...given);
  }
}
const agent = new CountingAgent({ keepAlive: true });

// The body that proxy_origin.large_body describes.
function* large(size) {
  const template = Buffer.from(Array.from({ length: BLOCK }, (_, place) => (place * 167 + 13) % 251));
  for (let at = 0; at < size; at += BLOCK) {
    const block = Buffer.from(template);
    block.writeBigUInt64BE(BigInt(at / BLOCK));
    yield block.subarray(0, Math.min(BLOCK, size - at));
  }
}

function fields(raw) {
  return Array.from({ length: raw.length / 2 }, (_, n) => [raw[2 * n], raw[2 * n + 1]]);
}

async function* countedInto(told, body) {
  for await (const piece of body) {
    told.sent += piece.length;
    yield piece;
  }
}

async function exchange(scenario, method, path, { headers = {}, body, trailers, event } = {}) {
  const before = connections;
  const told = { scenario, status: 0, headers: [], interim: [], sent: 0, length: 0, sha256: "", text: "", error: "" };
  // A name and value pair each, so that they go out as written here; Node adds the framing.
  const request = http.request({ hostname, port, agent, method, path, headers: { "X-User-Id": "u1", ...headers } });
  request.setTimeout(300_000, () => request.destroy(new Error("nothing came for 300 s")));
  request.on("information", (head) => told.interim.push({ status: head.statusCode, headers: fields(head.rawHeaders) }));
  let sending;
  const send = () => {
    if (trailers) request.addTrailers(trailers);
    sending = pipeline(countedInto(told, body), request);
    sending.catch(() => {}); // said by the request, too
  };
  try {
    const answered = new Promise((resolve, reject) => {
      request.once("response", resolve);
      request.on("error", reject);
    });
    if (!body) request.end();
    else if (headers.Expect) request.once("continue", send).flushHeaders();
    else send();
    const answer = await answered;
    const digest = createHash("sha256");
    Object.assign(told, { status: answer.statusCode, reason: answer.statusMessage, headers: fields(answer.rawHeaders) });
    for await (const piece of answer) {
      digest.update(piece);
      told.length += piece.length;
      if (told.length <= 2000) told.text += piece.toString("latin1");
      if (event) for (const _ of piece.toString("latin1").matchAll(/\n\n/g)) await event();
    }
    if (told.length > 2000) told.text = "";
    told.sha256 = digest.digest("hex");
    told.trailers = fields(answer.rawTrailers);
    if (sending) await sending;
    else if (body) request.destroy(); // it was refused, and nothing can follow it on its connection
  } catch (error) {
    told.error = error.message || error.code;
  }
  // What is free again is known to the agent a turn later.
  await new Promise(setImmediate);
  return { ...told, connections: connections - before };
}

function say(told) {
  process.stdout.write(`${JSON.stringify(told)}\n`);
}

const get = async (scenario, path, headers) => say(await exchange(scenario, "GET", path, { headers }));
const upload = async (scenario, method, path, size, headers, rest) =>
  say(await exchange(scenario, method, path, { body: large(size), headers, ...rest }));

async function scenarios() {
  const long = { "Content-Length": "100000" };
  const chunked = { "Transfer-Encoding": "chunked" };
  const expect = { Expect: "100-continue" };
  const te = { TE: "trailers", Connection: "TE, keep-alive" };
  await get("length", "/length");
  await get("chunked", "/chunked");
  await get("gzip", "/gzip", { "Accept-Encoding": "gzip" });
  await get("gzip-chunked", "/gzip-chunked", { "Accept-Encoding": "gzip" });
  say(await exchange("head", "HEAD", "/length"));
  say(await exchange("head-chunked", "HEAD", "/chunked"));
  await get("undated", "/undated");
  await get("204", "/204");
  await get("304", "/304", { "If-None-Match": '"v1"' });
  await get("not-304", "/304", { "If-None-Match": '"v0"' });
  await get("set-cookie", "/set-cookie");
  await get("early-hints", "/early-hints");
  await upload("upload-length", "PUT", "/upload", 100_000, long);
  await upload("upload-chunked", "POST", "/upload", 100_000, chunked);
  say(await exchange("upload-empty", "POST", "/upload"));
  await upload("continue", "PUT", "/continue", 100_000, { ...long, ...expect });
  await upload("continue-chunked", "POST", "/continue", 100_000, { ...chunked, ...expect });
  await upload("refuse-continue", "PUT", "/refuse-continue", 100_000, { ...long, ...expect });
  await get("trailers", "/trailers", te);
  const trailers = { "X-Request-Sum": "17", "X-Request-Note": "a  b" };
  const announced = { ...chunked, ...te, Trailer: Object.keys(trailers).join(", ") };
  await upload("trailers-both-ways", "POST", "/trailers", 1000, announced, { trailers });
  await get("odd-headers", "/odd", {
    "X-MiXeD-cAsE": "kept",
    "X-Empty": "",
    "X-Inner": "a \t b,,c",
    "X-Latin": "caf\xe9",
    "X-Utf8": "caf\xc3\xa9",
    "X-Two": ["1", "2"],
    Cookie: "a=1; b=2",
    "Accept-Encoding": "br;q=0.5, gzip",
  });
  for (const target of ["//a/../b%2f%7E;x?q=%20+&z=?", "/%c3%a9", '/a|b"c', "/./c/..;/d//", "/x?", "/to/http://h:1/x?u=http://g/"])
    await get(`target ${target}`, target);
  const run = `${process.pid}.${Date.now()}`;
  const event = () => exchange("", "POST", `/acknowledge?run=${run}`);
  say(await exchange("events", "GET", `/events?run=${run}`, { event }));
  async function* pieces() {
    for (let n = 0; n < 3; n += 1) {
      yield Buffer.from(`piece ${n}\n`);
      const seen = await exchange("", "GET", `/paced-seen?run=${run}`);
      if (seen.text !== "it has come") throw new Error(`piece ${n}: ${seen.text} ${seen.error}`);
    }
  }
  say(await exchange("paced-upload", "POST", `/paced-upload?run=${run}`, { body: pieces(), headers: chunked }));
  await get("close", "/close");
  await get("cut", "/cut");
  await get("cut-chunked", "/cut-chunked");
  const before = connections;
  let last;
  for (let n = 0; n < 50; n += 1) last = await exchange("sequential", "GET", "/sequential");
  say({ ...last, connections: connections - before });
}

async function bodies(size) {
  await get("download", `/download?bytes=${size}`);
  await upload("upload-length", "PUT", "/upload", size, { "Content-Length": `${size}` });
  await upload("upload-chunked", "POST", "/upload", size, { "Transfer-Encoding": "chunked" });
}

await (mode === "scenarios" ? scenarios() : bodies(Number(size)));
agent.destroy();
