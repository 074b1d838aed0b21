import type { Agent } from 'node:http';

/** Who is asked for, if anybody. */
export type TargetingKey = string | null | undefined;

/** Says of the user what the flag's rules ask for. Values are whatever JSON can write; `targetingKey` is ignored. */
export type Attributes = Readonly<Record<string, unknown>>;

/** A value of a flag of type object, as JSON reads it. */
export type FlagObject = { [name: string]: unknown };

/** Why a question got its default. */
export type ErrorCode =
  /** No connection: refused, no such socket, no route, unknown host. */
  | 'REFUSED'
  /** No whole answer within the deadline. */
  | 'TIMEOUT'
  /** The connection ended before a whole answer had come. */
  | 'BROKEN'
  /** Not HTTP, not JSON, not OFREP, or more than 1 MiB. */
  | 'INVALID_RESPONSE'
  /** Not asked, because the sidecar has just failed several times. */
  | 'PAUSED'
  /** The value is of another type than the default. */
  | 'TYPE_MISMATCH'
  /** The attributes cannot be written as JSON, or the sidecar says so. */
  | 'INVALID_CONTEXT'
  /** The app has no such flag. */
  | 'FLAG_NOT_FOUND'
  /** The flag needs a targeting key. */
  | 'TARGETING_KEY_MISSING'
  /** The sidecar could not read the question. */
  | 'PARSE_ERROR'
  /** Another HTTP status, which the details name. */
  | 'GENERAL'
  /** The client has been closed. */
  | 'CLOSED';

/** Settings of a client. A variable of the environment counts where one is left out. */
export interface Settings {
  /** The sidecar's flags listener, `http://HOST:PORT` or `unix:/path`. `TAILSLIDE_FLAGS_URL`, `http://127.0.0.1:4141` */
  url?: string;
  /** The sidecar's `flags_token`. `TAILSLIDE_FLAGS_TOKEN`, none */
  token?: string;
  /** The sidecar's proxy, `http://HOST:PORT`. `TAILSLIDE_PROXY_URL`, `http://127.0.0.1:4140` */
  proxyUrl?: string;
  /** What one question may take in all, connecting included, in milliseconds: 50. */
  timeoutMs?: number;
  /** How long outcomes wait to be sent together, in milliseconds: 200. */
  flushIntervalMs?: number;
  /** How many outcomes may wait: 10,000. */
  maxOutcomes?: number;
  /** Where warnings go, at most one a minute: `console`. */
  logger?: { warn(text: string): void };
}

/** All that is known of a flag for one user. */
export interface Evaluation<Value = unknown> {
  flag: string;
  value: Value;
  /** The variant's key, empty if the value is the default. */
  variant: string;
  /** Whether the user gets another variant than the flag's off variant. */
  active: boolean;
  /** OpenFeature's reason (`STATIC`, `TARGETING_MATCH`, `SPLIT` …); `ERROR` if the value is the default. */
  reason: string;
  metadata: { [name: string]: unknown };
  /** Empty unless the value is the default. */
  error: ErrorCode | '';
  errorDetails: string;
}

/** Counts since the client was made, except for `outcomesWaiting`. */
export interface Stats {
  questions: number;
  /** How many questions got their default, by error. */
  defaults: { [error in ErrorCode]?: number };
  outcomesSent: number;
  /** Too old, or too many. */
  outcomesDropped: number;
  /** By the sidecar. */
  outcomesRefused: number;
  outcomesWaiting: number;
}

/** What of a guard's block is a failure. A predicate that throws says that it is none. */
export interface GuardOptions<Result> {
  /** Says of what the block returns whether it is a failure. Without it nothing is. */
  failed?: (result: Result) => boolean;
  /** Says of what the block throws whether it is a failure. Without it everything is. */
  failedError?: (error: unknown) => boolean;
}

/**
 * Asks one sidecar about flags and reports how calls ended. Make one for the whole program.
 *
 * No method throws or rejects, whatever the sidecar answers; `guard` passes on what its block throws.
 */
export class Client {
  /** Throws if a setting cannot be right. Whether there is a sidecar is not looked at. */
  constructor(settings?: Settings);

  /** Sends requests through the sidecar's proxy: `http.get(url, { agent: client.proxyAgent })`. */
  readonly proxyAgent: Agent;

  /** Whether the user gets another variant than the flag's off variant. */
  isActive(
    flag: string, targetingKey?: TargetingKey, attributes?: Attributes, defaultValue?: boolean,
  ): Promise<boolean>;

  /** The key of the user's variant. */
  variant(
    flag: string, targetingKey: TargetingKey, attributes: Attributes | undefined, defaultValue: string,
  ): Promise<string>;
  variant(
    flag: string, targetingKey?: TargetingKey, attributes?: Attributes, defaultValue?: string | null,
  ): Promise<string | null>;

  /** The value of the user's variant, of the default's type: boolean, string, number or object; of any if that is null. */
  value(
    flag: string, targetingKey: TargetingKey, attributes: Attributes | undefined, defaultValue: boolean,
  ): Promise<boolean>;
  value(
    flag: string, targetingKey: TargetingKey, attributes: Attributes | undefined, defaultValue: string,
  ): Promise<string>;
  value(
    flag: string, targetingKey: TargetingKey, attributes: Attributes | undefined, defaultValue: number,
  ): Promise<number>;
  value(
    flag: string, targetingKey: TargetingKey, attributes: Attributes | undefined, defaultValue: FlagObject,
  ): Promise<FlagObject>;
  value(flag: string, targetingKey?: TargetingKey, attributes?: Attributes, defaultValue?: null): Promise<unknown>;

  /** All that is known of the flag for the user. `error` is empty unless `value` is the default. */
  evaluate(
    flag: string, targetingKey: TargetingKey, attributes: Attributes | undefined, defaultValue: boolean,
  ): Promise<Evaluation<boolean>>;
  evaluate(
    flag: string, targetingKey: TargetingKey, attributes: Attributes | undefined, defaultValue: string,
  ): Promise<Evaluation<string>>;
  evaluate(
    flag: string, targetingKey: TargetingKey, attributes: Attributes | undefined, defaultValue: number,
  ): Promise<Evaluation<number>>;
  evaluate(
    flag: string, targetingKey: TargetingKey, attributes: Attributes | undefined, defaultValue: FlagObject,
  ): Promise<Evaluation<FlagObject>>;
  evaluate(
    flag: string, targetingKey?: TargetingKey, attributes?: Attributes, defaultValue?: null,
  ): Promise<Evaluation>;

  /** Reports a call of the flag's feature that ended well, and how long it took in milliseconds, if known. Returns at once. */
  success(flag: string, latencyMs?: number): void;

  /** Reports a call of the flag's feature that failed, and how long it took in milliseconds, if known. Returns at once. */
  failure(flag: string, latencyMs?: number): void;

  /**
   * Runs `block`, asynchronous or not, measures it and reports a failure if it throws, else a success. What it returns or
   * throws goes on to the caller.
   */
  guard<Result>(flag: string, block: () => Result | PromiseLike<Result>, options?: GuardOptions<Result>): Promise<Result>;

  /** Sends the outcomes that wait, for at most `timeoutMs` (1,000), and says whether all of them were sent. */
  flush(timeoutMs?: number): Promise<boolean>;

  /** Sends what waits, for at most a second, and ends the client. Questions get their defaults from then on. */
  close(): Promise<void>;

  /** The counts of now. */
  stats(): Stats;

  /** The address of a path at the sidecar's proxy. */
  proxyUrl(path?: string): string;
}
