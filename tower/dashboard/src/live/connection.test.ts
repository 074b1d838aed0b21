import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { LiveConnection, type ServerMessage } from "./connection";

/** A socket whose other end is the test. */
class FakeSocket {
  readyState: number = WebSocket.CONNECTING;
  readonly sent: { subscribe: Record<string, unknown>; since?: string }[] = [];
  onopen: (() => void) | null = null;
  onmessage: ((event: { data: string }) => void) | null = null;
  onclose: ((event: { code: number }) => void) | null = null;

  send(text: string): void {
    this.sent.push(JSON.parse(text));
  }
  close(): void {
    this.readyState = WebSocket.CLOSED;
  }
  open(): void {
    this.readyState = WebSocket.OPEN;
    this.onopen?.();
  }
  say(message: Record<string, unknown>): void {
    this.onmessage?.({ data: JSON.stringify(message) });
  }
  end(code: number): void {
    this.readyState = WebSocket.CLOSED;
    this.onclose?.({ code });
  }
}

class Stage {
  readonly sockets: FakeSocket[] = [];
  readonly heard: ServerMessage[] = [];
  unsure = 0;
  readonly connection = new LiveConnection(
    {
      open: () => {
        const socket = new FakeSocket();
        this.sockets.push(socket);
        return socket as unknown as WebSocket;
      },
      now: Date.now,
      random: () => 1,
    },
    () => {
      this.unsure += 1;
    },
  );

  constructor() {
    this.connection.receive((message) => this.heard.push(message));
  }
  get socket(): FakeSocket {
    const socket = this.sockets.at(-1);
    if (socket === undefined) throw new Error("nothing was opened");
    return socket;
  }
  get phase(): string {
    return this.connection.state.phase;
  }
  /** Let the last socket be accepted, and its subscription. */
  live(cursor = "10"): void {
    this.socket.open();
    this.socket.say({ type: "hello", version: 1, cursor: "1" });
    this.socket.say({ type: "subscribed", cursor, resync: null });
  }
}

const START = Date.parse("2026-11-29T14:00:00Z");
let stage: Stage;

beforeEach(() => {
  vi.stubGlobal("WebSocket", { CONNECTING: 0, OPEN: 1, CLOSING: 2, CLOSED: 3 });
  vi.useFakeTimers({ now: START });
  stage = new Stage();
  stage.connection.start();
});

afterEach(() => {
  stage.connection.stop();
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

describe("beginning", () => {
  it("is connecting until the subscription is accepted", () => {
    expect(stage.phase).toBe("connecting");
    stage.socket.open();
    expect(stage.phase).toBe("connecting");
    expect(stage.socket.sent).toHaveLength(1);
    expect(stage.socket.sent[0]?.since).toBeUndefined();
    stage.socket.say({ type: "subscribed", cursor: "5", resync: null });
    expect(stage.connection.state).toEqual({ phase: "live", lastLiveMs: null, detail: null });
  });

  it("tries another time when the connection does not open", () => {
    vi.advanceTimersByTime(18_000);
    expect(stage.phase).toBe("gone");
    expect(stage.connection.state.lastLiveMs).toBeNull();
    vi.advanceTimersByTime(500);
    expect(stage.sockets).toHaveLength(2);
  });

  it("asks about the session when the connection is refused, for browsers do not say why", () => {
    stage.socket.end(1006);
    expect(stage.unsure).toBe(1);
  });
});

describe("a connection that is lost", () => {
  it("is said, with since when, and continues from the last cursor", () => {
    stage.live("10");
    stage.socket.say({ type: "log", cursor: "11", entry: {} });
    vi.advanceTimersByTime(2000);
    stage.socket.end(1006);
    expect(stage.connection.state).toEqual({
      phase: "gone",
      lastLiveMs: START + 2000,
      detail: "the live connection is gone",
    });
    expect(stage.unsure).toBe(0);
    vi.advanceTimersByTime(500);
    stage.socket.open();
    expect(stage.socket.sent[0]?.since).toBe("11");
    stage.socket.say({ type: "subscribed", cursor: "11", resync: null });
    expect(stage.connection.state).toEqual({ phase: "live", lastLiveMs: null, detail: null });
  });

  it("keeps the first moment through further failures", () => {
    stage.live();
    stage.socket.end(1001);
    expect(stage.connection.state.detail).toBe("Tower is restarting");
    vi.advanceTimersByTime(500);
    stage.socket.end(1006);
    vi.advanceTimersByTime(1000);
    stage.socket.end(1006);
    expect(stage.connection.state.lastLiveMs).toBe(START);
  });

  it("is tried again after twice the time, up to ten seconds", () => {
    stage.live();
    for (const delay of [500, 1000, 2000, 4000, 8000, 10_000, 10_000]) {
      const tries = stage.sockets.length;
      stage.socket.end(1006);
      vi.advanceTimersByTime(delay - 1);
      expect(stage.sockets).toHaveLength(tries);
      vi.advanceTimersByTime(1);
      expect(stage.sockets).toHaveLength(tries + 1);
    }
    stage.live();
    stage.socket.end(1006);
    vi.advanceTimersByTime(500);
    expect(stage.sockets).toHaveLength(9);
  });

  it("is tried at once when the network is back", () => {
    stage.live();
    stage.socket.end(1006);
    stage.connection.hurry();
    expect(stage.sockets).toHaveLength(2);
    stage.connection.hurry();
    vi.advanceTimersByTime(5000);
    expect(stage.sockets).toHaveLength(2);
  });

  it("is not hurried back by a Tower that finds it unwelcome", () => {
    stage.live();
    stage.socket.end(4429);
    vi.advanceTimersByTime(9_999);
    expect(stage.sockets).toHaveLength(1);
    vi.advanceTimersByTime(1);
    expect(stage.sockets).toHaveLength(2);
  });

  it("asks about the session when it has ended", () => {
    stage.live();
    stage.socket.end(4401);
    expect(stage.unsure).toBe(1);
    expect(stage.phase).toBe("gone");
  });

  it("takes nothing more from a socket that was given up", () => {
    stage.live();
    const old = stage.socket;
    const { onmessage, onclose } = old;
    stage.connection.stop();
    stage.connection.start();
    stage.live();
    const heard = stage.heard.length;
    onmessage?.({ data: JSON.stringify({ type: "cursor", cursor: "99" }) });
    onclose?.({ code: 1006 });
    expect(stage.heard).toHaveLength(heard);
    expect(stage.phase).toBe("live");
  });
});

describe("silence", () => {
  it("is broken by asking again, and an answer is enough", () => {
    stage.live("10");
    vi.advanceTimersByTime(15_000);
    expect(stage.socket.sent).toHaveLength(2);
    expect(stage.socket.sent[1]?.since).toBe("10");
    stage.socket.say({ type: "subscribed", cursor: "10", resync: null });
    vi.advanceTimersByTime(14_999);
    expect(stage.phase).toBe("live");
  });

  it("means that it is gone, since what was heard last", () => {
    stage.live();
    vi.advanceTimersByTime(21_000);
    expect(stage.connection.state).toEqual({
      phase: "gone",
      lastLiveMs: START,
      detail: "Tower does not answer",
    });
  });

  it("is not waited for when the network says that it has changed", () => {
    stage.live();
    vi.advanceTimersByTime(3000);
    stage.connection.hurry();
    vi.advanceTimersByTime(0);
    expect(stage.socket.sent).toHaveLength(2);
    vi.advanceTimersByTime(6000);
    expect(stage.phase).toBe("gone");
  });
});

describe("needs", () => {
  it("are gathered into one subscription, and sent again only when they differ", () => {
    stage.live();
    const done = [stage.connection.need({ points: ["shop.a"] }), stage.connection.need({ points: ["shop.b"] })];
    vi.advanceTimersByTime(50);
    expect(stage.socket.sent).toHaveLength(2);
    expect(stage.socket.sent[1]?.subscribe.points).toEqual({ flags: ["shop.a", "shop.b"], every_ms: 1000 });
    const again = stage.connection.need({ points: ["shop.a"] });
    vi.advanceTimersByTime(50);
    expect(stage.socket.sent).toHaveLength(2);
    for (const end of [...done, again]) end();
    vi.advanceTimersByTime(50);
    expect(stage.socket.sent[2]?.subscribe.points).toBeNull();
  });

  it("are told to a new connection", () => {
    stage.connection.need({ refresh: ["shop.a"] });
    vi.advanceTimersByTime(50);
    stage.live();
    stage.socket.end(1006);
    vi.advanceTimersByTime(500);
    stage.socket.open();
    expect(stage.socket.sent[0]?.subscribe.flags).toEqual(["shop.a"]);
  });
});

describe("what Tower says of itself", () => {
  it("is behind while it cannot follow changes, and live again afterwards", () => {
    stage.live();
    stage.socket.say({ type: "status", following: false, detail: "the database cannot be reached" });
    expect(stage.connection.state).toEqual({
      phase: "behind",
      lastLiveMs: START,
      detail: "the database cannot be reached",
    });
    stage.socket.say({ type: "status", following: true, detail: null });
    expect(stage.connection.state.phase).toBe("live");
  });

  it("does not take the greeting's cursor for one that was reached", () => {
    stage.socket.open();
    stage.socket.say({ type: "hello", version: 1, cursor: "50" });
    stage.socket.end(1006);
    vi.advanceTimersByTime(500);
    stage.socket.open();
    expect(stage.socket.sent[0]?.since).toBeUndefined();
  });
});

it("does nothing more once it is stopped", () => {
  stage.live();
  stage.connection.stop();
  expect(stage.phase).toBe("gone");
  stage.connection.hurry();
  vi.advanceTimersByTime(60_000);
  expect(stage.sockets).toHaveLength(1);
});
