// Compiled and never run: what index.d.ts allows and what it does not.

import http from 'node:http';
import { Client, type Evaluation, type ErrorCode, type Settings, type Stats } from 'tailslide-client';

const settings: Settings = { url: 'unix:/run/tailslide.sock', token: 't', timeoutMs: 20, logger: console };
const flags = new Client(settings);
new Client();

const active: boolean = await flags.isActive('new-checkout', 'user-42', { country: 'DE', age: 30 }, false);
const bare: boolean = await flags.isActive('new-checkout');
const anonymous: boolean = await flags.isActive('new-checkout', null);
let color: string = await flags.value('button-color', 'user-42', { country: 'DE' }, 'blue');
color = (await flags.value('button-color', undefined, undefined, 'blue')).toUpperCase();
const limit: number = await flags.value('limit', 'user-42', {}, 5);
const dark: boolean = await flags.value('dark', 'user-42', {}, true);
const layout: { [name: string]: unknown } = await flags.value('layout', 'user-42', {}, { columns: 2 });
const any: unknown = await flags.value('layout');
const variant: string = await flags.variant('button-color', 'user-42', {}, 'off');
const perhaps: string | null = await flags.variant('button-color', 'user-42');
const all: Evaluation<string> = await flags.evaluate('button-color', 'user-42', {}, 'blue');
const error: ErrorCode | '' = all.error;

flags.success('new-checkout');
flags.failure('new-checkout', 12.5);
const order: { id: number } = await flags.guard('new-checkout', async () => ({ id: 1 }), { failed: ({ id }) => id < 0 });
const sum: number = await flags.guard('new-checkout', () => 1 + 1, { failedError: (thrown) => thrown instanceof RangeError });

const flushed: boolean = await flags.flush(100);
const stats: Stats = flags.stats();
const refused: number = stats.defaults.REFUSED ?? 0;
http.get(flags.proxyUrl('/pay'), { agent: flags.proxyAgent });
await flags.close();

// @ts-expect-error a setting that there is not
new Client({ timeout: 50 });
// @ts-expect-error a flag has a text as its key
await flags.isActive(7);
// @ts-expect-error a list is no type of flags
await flags.value('f', 'u', {}, [1]);
// @ts-expect-error the value of a string flag is no number
const wrong: number = await flags.value('f', 'u', {}, 'blue');
// @ts-expect-error an error that there is not
stats.defaults.UNKNOWN;
// @ts-expect-error the agent stays
flags.proxyAgent = http.globalAgent;

export { active, bare, anonymous, color, limit, dark, layout, any, variant, perhaps, error, order, sum, flushed, refused, wrong };
