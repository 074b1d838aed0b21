'use strict';

/**
 * The thin client of Tailslide: asks the sidecar about flags and reports how calls ended.
 *
 * A question has an answer within its deadline (50 ms by default), whatever the sidecar does: if none came, the answer is
 * the default. Outcomes are sent in the background, which keeps no program from ending.
 *
 * One CommonJS file serves `require` and `import` alike, so a program never has two copies of the client.
 */

const http = require('node:http');
const { performance } = require('node:perf_hooks');

const MAX_ANSWER_BYTES = 1024 * 1024;
const MAX_KEPT_CONNECTIONS = 16;
const MAX_BATCH = 1000;
const MAX_TIMER_MS = 2 ** 31 - 1;
const TROUBLES_BEFORE_PAUSE = 5;
const PAUSE_MS = 250;
const OUTCOME_LIFETIME_MS = 10_000;
const SEND_TIMEOUT_MS = 1000;
const LOG_INTERVAL_MS = 60_000;
const NOT_ANSWERED = ['REFUSED', 'TIMEOUT', 'BROKEN', 'INVALID_RESPONSE'];
const LONGEST_LATENCY_MS = 86_400_000;
const SIDECAR_ERRORS = ['FLAG_NOT_FOUND', 'TARGETING_KEY_MISSING', 'PARSE_ERROR', 'INVALID_CONTEXT'];

/** Clients with outcomes to send when the program ends. */
const open = new Set();
const closeAll = () => open.forEach((client) => client.close());

/** Why a request had no usable answer. */
class Trouble extends Error {
  constructor(code, details) {
    super(details);
    this.code = code;
  }
}

class Client {
  #sidecar;
  #token;
  #proxyUrl;
  #timeoutMs;
  #flushIntervalMs;
  #maxOutcomes;
  #logger;
  #agent = new http.Agent({ keepAlive: true, maxFreeSockets: MAX_KEPT_CONNECTIONS, scheduling: 'lifo' });
  #outcomeAgent = new http.Agent({ keepAlive: true, maxFreeSockets: 1 }); // see Connections in the contract
  #closing; // the promise of close
  #ended = false; // close is over: no outcome is sent any more

  #troubles = 0; // questions in a row that had no answer
  #askAgain = 0;
  #questions = 0;
  #defaults = {};

  #waiting = [];
  #inFlight = 0;
  #sent = 0;
  #dropped = 0;
  #refused = 0;
  #notBefore = new Map(); // by path, what Retry-After said
  #sending; // the promise of the flush that is under way
  #timer;
  #warnings = {
    questions: { count: 0, next: 0, text: 'questions got their defaults' },
    outcomes: { count: 0, next: 0, text: 'outcomes could not be sent' },
  };

  /**
   * Makes a client for the whole program. Throws if a setting cannot be right; whether there is a sidecar is not looked at.
   *
   * @param {object} [settings]
   * @param {string} [settings.url] the sidecar's flags listener, `http://HOST:PORT` or `unix:/path`
   * @param {string} [settings.token] the sidecar's `flags_token`
   * @param {string} [settings.proxyUrl] the sidecar's proxy, `http://HOST:PORT`
   * @param {number} [settings.timeoutMs] what one question may take, connecting included
   * @param {number} [settings.flushIntervalMs] how long outcomes wait to be sent together
   * @param {number} [settings.maxOutcomes] how many outcomes may wait
   * @param {{warn(text: string): void}} [settings.logger] where warnings go
   */
  constructor(settings = {}) {
    const url = settings.url ?? (process.env.TAILSLIDE_FLAGS_URL || 'http://127.0.0.1:4141');
    const proxyUrl = settings.proxyUrl ?? (process.env.TAILSLIDE_PROXY_URL || 'http://127.0.0.1:4140');
    this.#token = settings.token ?? process.env.TAILSLIDE_FLAGS_TOKEN;
    this.#timeoutMs = milliseconds('timeoutMs', settings.timeoutMs ?? 50);
    this.#flushIntervalMs = milliseconds('flushIntervalMs', settings.flushIntervalMs ?? 200);
    this.#maxOutcomes = settings.maxOutcomes ?? 10_000;
    this.#logger = settings.logger ?? console;
    if (!Number.isInteger(this.#maxOutcomes) || this.#maxOutcomes < 1) {
      throw new RangeError(`maxOutcomes: expected a whole number of at least 1, got ${this.#maxOutcomes}`);
    }
    if (this.#token && !/^[!-~]+$/.test(this.#token)) {
      throw new TypeError('token: expected printable ASCII without spaces');
    }
    const socketPath = /^unix:(.+)$/.exec(url)?.[1];
    this.#sidecar = socketPath ? { socketPath } : connectTo(address('url', url));
    const proxy = address('proxyUrl', proxyUrl);
    this.#proxyUrl = proxy.origin;
    /** Send requests through the sidecar's proxy: `http.get(url, { agent: client.proxyAgent })`. */
    this.proxyAgent = new ProxyAgent(connectTo(proxy));
  }

  // Questions

  /** Whether the user gets another variant than the flag's off variant. */
  async isActive(flag, targetingKey, attributes = {}, defaultValue = false) {
    return (await this.#ask(flag, targetingKey, attributes, defaultValue, false)).active;
  }

  /** The key of the user's variant. */
  async variant(flag, targetingKey, attributes = {}, defaultValue = null) {
    const evaluation = await this.#ask(flag, targetingKey, attributes, defaultValue, false);
    return evaluation.error ? defaultValue : evaluation.variant;
  }

  /** The value of the user's variant, of the default's type: boolean, string, number or object; of any if that is null. */
  async value(flag, targetingKey, attributes = {}, defaultValue = null) {
    return (await this.#ask(flag, targetingKey, attributes, defaultValue, true)).value;
  }

  /** All that is known of the flag for the user. `error` and `errorDetails` are empty unless `value` is the default. */
  evaluate(flag, targetingKey, attributes = {}, defaultValue = null) {
    return this.#ask(flag, targetingKey, attributes, defaultValue, true);
  }

  async #ask(flag, targetingKey, attributes, defaultValue, typed) {
    this.#questions += 1;
    const activeDefault = defaultValue === true;
    try {
      const answer = await this.#answer(`/ofrep/v1/evaluate/flags/${encoded(flag)}`, question(targetingKey, attributes));
      if (typed && defaultValue != null && typeOf(answer.value) !== typeOf(defaultValue)) {
        throw new Trouble('TYPE_MISMATCH', 'the value is of another type than the default');
      }
      const { value, variant, reason, metadata = {} } = answer;
      const active = typeof metadata.active === 'boolean' ? metadata.active : activeDefault;
      return { flag, value, variant, active, reason, metadata, error: '', errorDetails: '' };
    } catch (trouble) {
      const error = trouble.code;
      this.#defaults[error] = (this.#defaults[error] ?? 0) + 1;
      this.#warn(this.#warnings.questions, 1, trouble);
      return {
        flag, value: defaultValue, variant: '', active: activeDefault, reason: 'ERROR', metadata: {},
        error, errorDetails: trouble.message,
      };
    }
  }

  /** Asks, unless the sidecar has just failed several times, and keeps count of that. */
  async #answer(path, body) {
    if (this.#closing) {
      throw new Trouble('CLOSED', 'the client has been closed');
    }
    const now = performance.now();
    if (this.#troubles >= TROUBLES_BEFORE_PAUSE) {
      if (now < this.#askAgain) {
        throw new Trouble('PAUSED', 'not asked, because the sidecar has just failed several times');
      }
      this.#askAgain = now + PAUSE_MS;
    }
    try {
      const answer = ofrepAnswer(await this.#post(this.#agent, path, body, now + this.#timeoutMs));
      this.#troubles = 0;
      return answer;
    } catch (trouble) {
      this.#troubles = NOT_ANSWERED.includes(trouble.code) ? this.#troubles + 1 : 0;
      if (this.#troubles === TROUBLES_BEFORE_PAUSE) {
        this.#askAgain = performance.now() + PAUSE_MS;
      }
      throw trouble;
    }
  }

  // Outcomes

  /** Reports a call of the flag's feature that ended well, and how long it took, if known. Returns at once. */
  success(flag, latencyMs) {
    this.#report(flag, 'success', latencyMs);
  }

  /** Reports a call of the flag's feature that failed, and how long it took, if known. Returns at once. */
  failure(flag, latencyMs) {
    this.#report(flag, 'failure', latencyMs);
  }

  /**
   * Runs `block` (a function, asynchronous or not), measures it and reports a failure if it throws, else a success.
   * What it returns or throws goes on to the caller. With `failed(result)` and `failedError(error)` the caller says
   * what is a failure.
   */
  async guard(flag, block, options) {
    const began = performance.now();
    const report = (predicate, subject) => {
      const latencyMs = performance.now() - began;
      this.#report(flag, holds(predicate, subject) ? 'failure' : 'success', latencyMs);
    };
    let result;
    try {
      result = await block();
    } catch (error) {
      report(options?.failedError ?? (() => true), error);
      throw error;
    }
    report(options?.failed ?? (() => false), result);
    return result;
  }

  #report(flag, outcome, latencyMs) {
    let path;
    try {
      path = `/v1/flags/${encoded(flag)}/outcomes`;
    } catch {
      this.#refused += 1;
      return;
    }
    if (this.#closing) {
      this.#dropped += 1;
      return;
    }
    if (this.#waiting.length + this.#inFlight >= this.#maxOutcomes) {
      this.#drop(1, 'GENERAL', 'the buffer is full');
      if (this.#waiting.shift() === undefined) {
        return; // all that fit are on their way
      }
    }
    const known = Number.isFinite(latencyMs) && latencyMs >= 0 && latencyMs <= LONGEST_LATENCY_MS;
    const latency = known ? latencyMs : undefined;
    const said = { outcome, latency_ms: latency, began_ms: Math.round(Date.now() - (latency ?? 0)) };
    this.#waiting.push({ path, said, reported: performance.now() });
    if (open.size === 0) {
      process.on('beforeExit', closeAll);
    }
    open.add(this);
    if (!this.#timer) {
      this.#flushAfter(this.#flushIntervalMs);
    } else if (this.#waiting.length === MAX_BATCH && !this.#sending) {
      clearTimeout(this.#timer);
      this.#flushAfter(0);
    }
  }

  #drop(count, code, why) {
    if (count > 0) {
      this.#dropped += count;
      this.#warn(this.#warnings.outcomes, count, new Trouble(code, why));
    }
  }

  /** Plans to send what waits, and what then still waits. */
  #flushAfter(delayMs) {
    this.#timer = setTimeout(async () => {
      const allSent = await this.flush(OUTCOME_LIFETIME_MS);
      this.#timer = undefined;
      if (this.#waiting.length > 0 && !this.#closing) {
        this.#flushAfter(allSent && this.#waiting.length >= MAX_BATCH ? 0 : this.#flushIntervalMs);
      }
    }, delayMs).unref();
  }

  /** Sends what waits, for at most `timeoutMs`, and says whether all of it was sent. */
  async flush(timeoutMs = 1000) {
    const deadline = performance.now() + Math.min(timeoutMs, MAX_TIMER_MS);
    while (this.#sending) {
      if (!(await settledBefore(this.#sending, deadline))) {
        return false;
      }
    }
    this.#sending = this.#send(deadline);
    try {
      return await this.#sending;
    } finally {
      this.#sending = undefined;
    }
  }

  async #send(deadline) {
    const taken = this.#waiting;
    this.#waiting = [];
    this.#inFlight = taken.length;
    const again = [];
    let [sent, refused, old] = [0, 0, 0];
    let reachable = true;
    for (const batch of batches(taken)) {
      const { path } = batch[0];
      const now = performance.now();
      const fresh = batch.filter(({ reported }) => now - reported <= OUTCOME_LIFETIME_MS);
      old += batch.length - fresh.length;
      let status = 0;
      if (reachable && fresh.length > 0 && now < deadline && now >= (this.#notBefore.get(path) ?? 0)) {
        status = await this.#sendBatch(path, fresh, Math.min(deadline, now + SEND_TIMEOUT_MS));
        reachable = status !== 0;
      }
      if (status === 0 || status === 429 || status >= 500) {
        again.push(...fresh);
      } else if (status >= 300) {
        refused += fresh.length;
      } else {
        sent += fresh.length;
      }
    }
    this.#sent += sent;
    this.#refused += refused;
    this.#drop(old, 'TIMEOUT', 'not sent within 10 s');
    this.#inFlight = 0;
    this.#waiting = again.sort((a, b) => a.reported - b.reported).concat(this.#waiting);
    this.#dropIfEnded();
    return sent === taken.length;
  }

  /** Sends a batch and returns the status, 0 if there was no answer. */
  async #sendBatch(path, batch, deadline) {
    try {
      const body = JSON.stringify(batch.map(({ said }) => said));
      const { status, retryAfter } = await this.#post(this.#outcomeAgent, path, body, deadline);
      if (status === 429) {
        this.#notBefore.set(path, performance.now() + (Number(retryAfter) || 0) * 1000);
      }
      if (status >= 300) {
        this.#warn(this.#warnings.outcomes, batch.length, new Trouble('GENERAL', `HTTP status ${status}`));
      }
      return status;
    } catch (trouble) {
      this.#warn(this.#warnings.outcomes, batch.length, trouble);
      return 0;
    }
  }

  /** Sends what waits, for at most a second, and ends the client. Questions get their defaults from then on. */
  close() {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close() {
    clearTimeout(this.#timer);
    await this.flush();
    this.#ended = true;
    this.#dropIfEnded();
    open.delete(this);
    if (open.size === 0) {
      process.off('beforeExit', closeAll);
    }
    this.#agent.destroy();
    this.#outcomeAgent.destroy();
    this.proxyAgent.destroy();
  }

  /** Drops what a flush leaves that was still under way when close gave up. */
  #dropIfEnded() {
    if (this.#ended) {
      this.#drop(this.#waiting.length, 'CLOSED', 'the client has been closed');
      this.#waiting = [];
    }
  }

  // What it says of itself

  /** Counts since the client was made, except for `outcomesWaiting`. */
  stats() {
    return {
      questions: this.#questions,
      defaults: { ...this.#defaults },
      outcomesSent: this.#sent,
      outcomesDropped: this.#dropped,
      outcomesRefused: this.#refused,
      outcomesWaiting: this.#waiting.length + this.#inFlight,
    };
  }

  /** Logs at most once a minute. */
  #warn(about, more, latest) {
    about.count += more;
    const now = performance.now();
    if (now < about.next) {
      return;
    }
    const details = latest.code === 'INVALID_CONTEXT' ? '' : `: ${latest.message}`; // might tell attributes
    const text = `tailslide: ${about.count} ${about.text}; the latest trouble: ${latest.code}${details}`;
    about.count = 0;
    about.next = now + LOG_INTERVAL_MS;
    try {
      this.#logger.warn(text);
    } catch {
      // A logger's trouble is not the caller's.
    }
  }

  // Calls through the proxy

  /** The address of a path at the sidecar's proxy. */
  proxyUrl(path = '') {
    return this.#proxyUrl + (path === '' || path.startsWith('/') ? '' : '/') + path;
  }

  // HTTP

  /** Sends a request and reads the whole answer, or throws a Trouble. */
  async #post(agent, path, body, deadline) {
    try {
      return await this.#exchange(agent, path, body, deadline);
    } catch (trouble) {
      if (!trouble.stale) {
        throw trouble;
      }
      // The sidecar may have been restarted: then no kept connection is good any more.
      Object.values(agent.freeSockets).flat().forEach((socket) => socket.destroy());
      return this.#exchange(agent, path, body, deadline);
    }
  }

  #exchange(agent, path, body, deadline) {
    return new Promise((resolve, reject) => {
      const headers = { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(body) };
      if (this.#token) {
        headers.Authorization = `Bearer ${this.#token}`;
      }
      const request = http.request({ ...this.#sidecar, path, method: 'POST', headers, agent });
      let connected = false;
      let bytesBefore = 0;
      const fail = (code, details) => {
        clearTimeout(timer);
        const trouble = new Trouble(code, details);
        trouble.stale = code === 'BROKEN' && request.reusedSocket && request.socket.bytesRead === bytesBefore;
        reject(trouble);
        request.destroy();
      };
      const failWith = (error) => {
        if (!connected) {
          fail('REFUSED', `could not connect: ${error.message || error.code}`);
        } else if (error.code?.startsWith('HPE_') && error.code !== 'HPE_INVALID_EOF_STATE') {
          fail('INVALID_RESPONSE', error.message);
        } else {
          fail('BROKEN', error.message);
        }
      };
      // An answer that came while the program was busy counts: it is read before the immediate runs.
      const timeUp = () => setImmediate(fail, 'TIMEOUT', 'no whole answer within the deadline');
      const timer = setTimeout(timeUp, Math.max(deadline - performance.now(), 0));
      request.on('socket', (socket) => {
        connected = !socket.connecting;
        bytesBefore = socket.bytesRead;
        if (socket.connecting) {
          socket.once('connect', () => (connected = true));
        }
      });
      request.on('error', failWith);
      request.on('upgrade', (response, socket) => {
        fail('INVALID_RESPONSE', 'the sidecar switches protocols');
        socket.destroy();
      });
      request.on('response', (response) => {
        const chunks = [];
        let size = 0;
        response.on('data', (chunk) => {
          size += chunk.length;
          chunks.push(chunk);
          if (size > MAX_ANSWER_BYTES) {
            fail('INVALID_RESPONSE', 'the answer is larger than 1 MiB');
          }
        });
        response.on('error', failWith);
        response.on('end', () => {
          clearTimeout(timer);
          const text = Buffer.concat(chunks).toString();
          resolve({ status: response.statusCode, retryAfter: response.headers['retry-after'], text });
        });
      });
      request.end(body);
    });
  }
}

/** Sends requests for `http:` URLs to a forward proxy. */
class ProxyAgent extends http.Agent {
  #proxy;

  constructor(proxy) {
    super({ keepAlive: true, maxFreeSockets: MAX_KEPT_CONNECTIONS });
    this.#proxy = proxy;
  }

  addRequest(request, options) {
    const host = options.host.includes(':') ? `[${options.host}]` : options.host;
    const port = Number(options.port) === 80 ? '' : `:${options.port}`;
    request.path = `http://${host}${port}${request.path}`;
    super.addRequest(request, { ...options, ...this.#proxy });
  }
}

function milliseconds(setting, value) {
  if (!(typeof value === 'number' && value > 0 && value <= MAX_TIMER_MS)) {
    throw new RangeError(`${setting}: expected a positive number of milliseconds, got ${value}`);
  }
  return value;
}

function address(setting, text) {
  const wrong = new TypeError(`${setting}: expected http://HOST:PORT, got ${text}`);
  let url;
  try {
    url = new URL(text);
  } catch {
    throw wrong;
  }
  if (url.protocol !== 'http:' || url.href !== `${url.origin}/` || url.port === '0') {
    throw wrong;
  }
  return url;
}

function connectTo({ hostname, port }) {
  return { host: hostname.replace(/^\[(.*)\]$/, '$1'), port: Number(port || 80) };
}

function encoded(flag) {
  try {
    if (typeof flag === 'string' && flag !== '') {
      return encodeURIComponent(flag);
    }
  } catch {
    // Half of a surrogate pair: no flag has such a key.
  }
  throw new Trouble('FLAG_NOT_FOUND', 'expected the key of a flag');
}

function question(targetingKey, attributes) {
  try {
    if (typeOf(attributes ?? {}) !== 'object') {
      throw new TypeError('expected an object');
    }
    return JSON.stringify({ context: { ...attributes, targetingKey: targetingKey ?? undefined } });
  } catch (error) {
    throw new Trouble('INVALID_CONTEXT', `the attributes cannot be written as JSON: ${error?.message}`);
  }
}

/** Returns what the sidecar said of the flag, or throws why not. */
function ofrepAnswer({ status, text }) {
  let answer;
  try {
    answer = JSON.parse(text);
  } catch {
    // Not JSON: of other statuses than 200 the status says enough.
  }
  if (status === 200) {
    const { value, variant, reason, metadata } = answer ?? {};
    const types = [typeOf(value), typeof variant, typeof reason, typeOf(metadata ?? {})];
    if (['null', 'array', 'undefined'].includes(types[0]) || types.slice(1).join() !== 'string,string,object') {
      throw new Trouble('INVALID_RESPONSE', 'expected JSON with value, variant and reason');
    }
    return { ...answer, metadata: metadata ?? {} };
  }
  const details = typeof answer?.errorDetails === 'string' ? answer.errorDetails : '';
  if (SIDECAR_ERRORS.includes(answer?.errorCode)) {
    throw new Trouble(answer.errorCode, details);
  }
  throw new Trouble('GENERAL', `HTTP status ${status}${details && `: ${details}`}`);
}

function typeOf(value) {
  if (value === null) {
    return 'null';
  }
  return Array.isArray(value) ? 'array' : typeof value;
}

/** What the predicate says, and false if it throws. */
function holds(predicate, subject) {
  try {
    return Boolean(predicate(subject));
  } catch {
    return false;
  }
}

/** Lists of outcomes of one flag each, none longer than a request may be. */
function batches(outcomes) {
  const byPath = new Map();
  for (const outcome of outcomes) {
    const all = byPath.get(outcome.path) ?? [[]];
    byPath.set(outcome.path, all);
    if (all.at(-1).length === MAX_BATCH) {
      all.push([]);
    }
    all.at(-1).push(outcome);
  }
  return [...byPath.values()].flat();
}

async function settledBefore(promise, deadline) {
  let timer;
  const late = new Promise((resolve) => {
    timer = setTimeout(resolve, Math.max(deadline - performance.now(), 0), false);
  });
  const settled = await Promise.race([promise.then(() => true), late]);
  clearTimeout(timer);
  return settled;
}

module.exports = { Client };
