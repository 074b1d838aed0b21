// An application that uses OpenFeature's own OFREP providers, told what to do line by line.
//
// A line on stdin is a JSON array, [command, ...arguments]; each is answered with a line of JSON on stdout, in order:
// {"result": …}, or {"error": …} where the SDK has thrown. The end of stdin ends it. What browsers have and Node.js has
// not (EventSource, localStorage) is put in place, the providers themselves are as they were published. Nothing here
// knows Tailslide, or what is expected of it: that is said in tests/integration.
import { createInterface } from 'node:readline';

import { OFREPProvider } from '@openfeature/ofrep-provider';
import { OFREPWebProvider } from '@openfeature/ofrep-web-provider';
import { OpenFeature as Server } from '@openfeature/server-sdk';
import { OpenFeature as Web, ProviderEvents } from '@openfeature/web-sdk';
import { EventSource } from 'eventsource';

class LocalStorage {
  #items = new Map();

  getItem(key) {
    return this.#items.get(key) ?? null;
  }

  setItem(key, value) {
    this.#items.set(key, String(value));
  }

  removeItem(key) {
    this.#items.delete(key);
  }
}

globalThis.EventSource = EventSource;
globalThis.localStorage = new LocalStorage();

const requests = [];
const fetched = globalThis.fetch;
globalThis.fetch = async (request, options) => {
  const response = await fetched(request, options);
  requests.push({ method: request.method ?? 'GET', url: request.url ?? String(request), status: response.status });
  return response;
};

const events = [];
for (const type of Object.values(ProviderEvents)) {
  Web.addHandler(type, (details) => {
    events.push({ type, flags: details?.flagsChanged ?? [] });
  });
}

async function details(client, flag, fallback, context) {
  const ask = {
    boolean: client.getBooleanDetails,
    string: client.getStringDetails,
    number: client.getNumberDetails,
    object: client.getObjectDetails,
  }[typeof fallback];
  return ask.call(client, flag, fallback, ...(context === undefined ? [] : [context]));
}

const commands = {
  server: (options) => Server.setProviderAndWait(new OFREPProvider(options)),
  server_details: (flag, fallback, context) => details(Server.getClient(), flag, fallback, context),
  web: async (options, context) => {
    await Web.setContext(context);
    await Web.setProviderAndWait(new OFREPWebProvider(options));
  },
  web_context: (context) => Web.setContext(context),
  web_details: (flag, fallback) => details(Web.getClient(), flag, fallback),
  web_events: () => events.splice(0),
  requests: () => requests.splice(0),
};

for await (const line of createInterface({ input: process.stdin })) {
  const [command, ...given] = JSON.parse(line);
  let answer;
  try {
    answer = { result: (await commands[command](...given)) ?? null };
  } catch (error) {
    answer = { error: `${error.name}: ${error.message}` };
  }
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}
await Promise.all([Server.close(), Web.close()]);
