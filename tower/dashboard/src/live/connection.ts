import type { Schemas } from "@/api/client";
import { type Need, subscriptionFor } from "./needs";

type Message<Name extends string, Model> = Model & { type: Name };

/** What Tower sends; `docs/live.md` says when. */
export type ServerMessage =
  | Message<"hello", Schemas["Hello"]>
  | Message<"subscribed", Schemas["Subscribed"]>
  | Message<"flag", Schemas["FlagMessage"]>
  | Message<"sidecar", Schemas["SidecarMessage"]>
  | Message<"current", Schemas["CurrentMessage"]>
  | Message<"log", Schemas["LogMessage"]>
  | Message<"changed", Schemas["ChangedMessage"]>
  | Message<"cursor", Schemas["CursorMessage"]>
  | Message<"resync", Schemas["ResyncMessage"]>
  | Message<"points", Schemas["PointsMessage"]>
  | Message<"status", Schemas["StatusMessage"]>
  | Message<"error", Schemas["ErrorMessage"]>;

export interface LiveState {
  /** `live`: what is shown is kept up to date. `behind`: connected, but Tower cannot follow changes now. */
  phase: "connecting" | "live" | "behind" | "gone";
  /** Until when what is shown was kept up to date, in Unix milliseconds by `now`; null while it is, or never was. */
  lastLiveMs: number | null;
  /** Why it is not live, in a sentence. */
  detail: string | null;
}

/** What the connection needs of its surroundings; tests bring their own. */
export interface Surroundings {
  open: () => WebSocket;
  now: () => number;
  random: () => number;
}

const FIRST_DELAY_MS = 500;
const LONGEST_DELAY_MS = 10_000;
/** Browsers do not tell of a network that went silent, so after this time the subscription is sent again, for an answer. */
const SILENCE_MS = 15_000;
const PATIENCE_MS = 6_000;
const GATHER_MS = 50;
const NOT_AUTHORISED = 4401;
/** This client asks too much or wrongly; coming back at once would make that worse. */
const UNWELCOME: readonly number[] = [4400, 4429];

/**
 * The one WebSocket of the page: it subscribes to what the parts of the page need, comes back by itself, and continues
 * from the last cursor. It knows nothing of what the messages mean.
 */
export class LiveConnection {
  private socket: WebSocket | null = null;
  private cursor: string | null = null;
  private readonly needs = new Map<symbol, Need>();
  private readonly receivers = new Set<(message: ServerMessage) => void>();
  private readonly watchers = new Set<() => void>();
  private sent = "";
  private failures = 0;
  private opened = false;
  private heardMs = 0;
  private stopped = true;
  private retry: ReturnType<typeof setTimeout> | undefined;
  private gather: ReturnType<typeof setTimeout> | undefined;
  private silence: ReturnType<typeof setTimeout> | undefined;
  private current: LiveState = { phase: "connecting", lastLiveMs: null, detail: null };

  /** `whenUnsure` is called when the session may be over, which a browser does not tell of a refused connection. */
  constructor(
    private readonly around: Surroundings,
    private readonly whenUnsure: () => void,
  ) {}

  get state(): LiveState {
    return this.current;
  }

  start(): void {
    this.stopped = false;
    this.failures = 0;
    this.connect();
  }

  stop(): void {
    this.stopped = true;
    clearTimeout(this.retry);
    clearTimeout(this.gather);
    clearTimeout(this.silence);
    this.drop();
    this.become({ phase: "gone", detail: null });
  }

  /** Find out now: the network has come or gone, or the page is looked at again, perhaps after the machine slept. */
  hurry(): void {
    if (this.stopped) return;
    if (this.socket !== null) {
      if (this.opened) this.waitFor(0);
      return;
    }
    clearTimeout(this.retry);
    this.connect();
  }

  /** Follow more, until the returned function is called. */
  need(need: Need): () => void {
    const id = Symbol("need");
    this.needs.set(id, need);
    this.subscribeSoon();
    return () => {
      this.needs.delete(id);
      this.subscribeSoon();
    };
  }

  /** Get every message, until the returned function is called. */
  receive(receiver: (message: ServerMessage) => void): () => void {
    this.receivers.add(receiver);
    return () => this.receivers.delete(receiver);
  }

  /** Be told when `state` is another one. */
  watch = (watcher: () => void): (() => void) => {
    this.watchers.add(watcher);
    return () => this.watchers.delete(watcher);
  };

  private connect(): void {
    const socket = this.around.open();
    this.socket = socket;
    this.sent = "";
    this.opened = false;
    socket.onopen = () => {
      this.opened = true;
      this.subscribe();
    };
    socket.onmessage = (event: MessageEvent<string>) => this.heard(socket, event.data);
    socket.onclose = (event: CloseEvent) => this.closed(socket, event.code);
    this.waitFor(PATIENCE_MS * 2);
  }

  private subscribeSoon(): void {
    clearTimeout(this.gather);
    this.gather = setTimeout(() => this.subscribe(), GATHER_MS);
  }

  private subscribe(again = false): void {
    const socket = this.socket;
    if (socket === null || socket.readyState !== WebSocket.OPEN) return;
    const subscribe = subscriptionFor(this.needs.values());
    const wanted = JSON.stringify(subscribe);
    if (wanted === this.sent && !again) return;
    this.sent = wanted;
    socket.send(JSON.stringify(this.cursor === null ? { subscribe } : { subscribe, since: this.cursor }));
  }

  private heard(socket: WebSocket, data: string): void {
    if (socket !== this.socket) return;
    const message = JSON.parse(data) as ServerMessage;
    this.heardMs = this.around.now();
    this.waitFor(SILENCE_MS);
    if (message.type === "subscribed") {
      this.failures = 0;
      this.become({ phase: "live", detail: null });
    } else if (message.type === "status") {
      this.become({ phase: message.following ? "live" : "behind", detail: message.detail ?? null });
    }
    for (const receiver of this.receivers) receiver(message);
    // Only what has been taken in is not asked for again. The greeting's cursor is older than the first answers.
    if ("cursor" in message && message.type !== "hello") this.cursor = message.cursor;
  }

  /** Ask for a sign of life after `ms` without a message, and give the connection up if none comes. */
  private waitFor(ms: number): void {
    clearTimeout(this.silence);
    this.silence = setTimeout(() => {
      this.subscribe(true);
      // Nobody knows since when it is gone; what was heard last is certain.
      this.silence = setTimeout(() => this.lose("Tower does not answer", this.heardMs), PATIENCE_MS);
    }, ms);
  }

  private closed(socket: WebSocket, code: number): void {
    if (socket !== this.socket) return;
    if (code === NOT_AUTHORISED || !this.opened) this.whenUnsure();
    if (UNWELCOME.includes(code)) this.failures = Number.POSITIVE_INFINITY;
    this.lose(code === 1001 ? "Tower is restarting" : "the live connection is gone");
  }

  private lose(why: string, sinceMs?: number): void {
    this.drop();
    clearTimeout(this.silence);
    this.become({ phase: "gone", detail: why }, sinceMs);
    if (this.stopped) return;
    const delay = Math.min(FIRST_DELAY_MS * 2 ** this.failures, LONGEST_DELAY_MS) * (0.5 + this.around.random() / 2);
    this.failures += 1;
    clearTimeout(this.retry);
    this.retry = setTimeout(() => this.connect(), delay);
  }

  private drop(): void {
    const socket = this.socket;
    this.socket = null;
    if (socket === null) return;
    socket.onopen = socket.onmessage = socket.onclose = null;
    socket.close();
  }

  private become(next: Pick<LiveState, "phase" | "detail">, sinceMs = this.around.now()): void {
    const was = this.current;
    if (was.phase === next.phase && was.detail === next.detail) return;
    const lastLiveMs = was.phase === "live" ? sinceMs : was.lastLiveMs;
    this.current = { ...next, lastLiveMs: next.phase === "live" ? null : lastLiveMs };
    for (const watcher of this.watchers) watcher();
  }
}
