import type { InfiniteData, QueryClient, QueryKey } from "@tanstack/react-query";
import type { Schemas } from "@/api/client";
import type { ServerMessage } from "./connection";
import { intoQueries } from "./intoQueries";

type Flag = Schemas["FlagOut"];
type FlagPages = InfiniteData<Schemas["FlagList"]>;
type Sidecar = Schemas["SidecarOut"];
type SidecarPages = InfiniteData<Schemas["SidecarList"]>;
type Status = Schemas["StatusOut"];

/** Which queries show what an entry of the log is about, by the kind of its subject. */
const SHOWN_BY: Readonly<Record<string, readonly QueryKey[]>> = {
  app: [["apps"], ["app"], ["flags"]],
  segment: [["segments"], ["segment"]],
  sdk_key: [["keys"]],
  token: [["tokens"]],
  webhook: [["webhooks"], ["webhook"]],
  user: [["users"], ["user"], ["account"]],
  session: [["sessions"]],
  invitation: [["invitations"]],
  link: [["links"]],
  flag: [["versions"]],
};

/** The entries that a graph marks; it is of one flag, and long. */
const ON_GRAPHS: ReadonlySet<string> = new Set(["circuit", "flag"]);

/** The states of flags that need attention. */
const IN_TROUBLE: ReadonlySet<string> = new Set(["open", "recovering", "held_off"]);

const FLUSH_MS = 100;
/** Tower works out what needs attention for each request, so it is asked for less often than flags change. */
const STATUS_MS = 1000;

const idOf = ({ app, key }: Flag): string => `${app}.${key}`;

/** Whether a message was overtaken by the answer to a change of one's own. */
function isOlder(flag: Flag, than: Flag | undefined): boolean {
  return than !== undefined && flag.version < than.version && flag.created_at === than.created_at;
}

/**
 * Carries the messages of the live connection into the queries' cache, several at once: a tripping dependency moves
 * hundreds of flags together.
 */
export class LiveCache {
  private flags = new Map<string, Flag>();
  private gone = new Set<string>();
  private sidecars = new Map<string, Schemas["SidecarMessage"]>();
  private stale = new Map<string, QueryKey>();
  private timer: ReturnType<typeof setTimeout> | undefined;
  private everLive = false;
  private statusTimer: ReturnType<typeof setTimeout> | undefined;

  constructor(private readonly queries: QueryClient) {}

  /** Forget what is waiting: nobody shows it any more. */
  close(): void {
    clearTimeout(this.timer);
    clearTimeout(this.statusTimer);
    this.timer = this.statusTimer = undefined;
  }

  take(message: ServerMessage): void {
    switch (message.type) {
      case "subscribed":
        // What was read before the first subscription may have changed in between.
        if (!this.everLive || message.resync) this.readAgain();
        else this.readFailed();
        this.everLive = true;
        return;
      case "current":
        if (message.resync) this.readAgain();
        return;
      case "resync":
        this.readAgain();
        return;
      case "flag":
        this.takeFlag(message);
        break;
      case "sidecar":
        this.sidecars.set(`${message.app}.${message.instance}`, message);
        break;
      case "log":
        this.outdated(message.entry as unknown as Schemas["EntryOut"]);
        break;
      case "changed":
        this.outdated({ subject: message });
        break;
      default:
        return;
    }
    this.timer ??= setTimeout(() => this.flush(), FLUSH_MS);
  }

  /** Carry over what is waiting. */
  flush(): void {
    this.timer = undefined;
    const { queries } = this;
    if (this.flags.size || this.gone.size) {
      const changed = new Map<string, Flag>();
      const unseen = new Map(this.flags);
      intoQueries<FlagPages>(queries, ["flags"], (pages) => this.withFlags(pages, unseen, changed));
      for (const [id, flag] of this.flags) {
        const queryKey = ["flag", flag.app, flag.key];
        const known = queries.getQueryData<Flag>(queryKey);
        if (known === undefined ? unseen.has(id) : known.version !== flag.version) changed.set(id, flag);
        if (!isOlder(flag, known)) queries.setQueryData<Flag>(queryKey, flag);
      }
      this.markListsWithout(changed);
      if (this.gone.size) this.mark(["flags"]);
      if (this.gone.size || this.statusDiffers()) this.lookAtStatus();
    }
    if (this.sidecars.size) {
      const seen = new Set<string>();
      intoQueries<SidecarPages>(queries, ["sidecars"], (pages) => this.withSidecars(pages, seen));
      for (const id of this.sidecars.keys()) if (!seen.has(id)) this.mark(["sidecars"]);
    }
    this.flags = new Map();
    this.gone = new Set();
    this.sidecars = new Map();
    const stale = [...this.stale.values()];
    this.stale = new Map();
    for (const queryKey of stale) void queries.invalidateQueries({ queryKey }, { cancelRefetch: false });
  }

  /**
   * A flag that is new, or that a person has changed, may belong into lists that do not have it, such as those of flags
   * that are on. Other messages, of circuits and arrivals, never bring a flag into a list.
   */
  private markListsWithout(changed: ReadonlyMap<string, Flag>): void {
    if (!changed.size) return;
    for (const [queryKey, pages] of this.queries.getQueriesData<FlagPages>({ queryKey: ["flags"] })) {
      const here = new Set(pages?.pages.flatMap((page) => page.flags.map(idOf)));
      const of = queryKey[1]; // the app that the list is about; null for all
      const lacks = ([id, { app }]: [string, Flag]) => (of === null || of === undefined || of === app) && !here.has(id);
      if ([...changed].some(lacks)) this.mark(queryKey);
    }
  }

  private lookAtStatus(): void {
    this.statusTimer ??= setTimeout(() => {
      this.statusTimer = undefined;
      void this.queries.invalidateQueries({ queryKey: ["status"] }, { cancelRefetch: false });
    }, STATUS_MS);
  }

  /** What could not be read while Tower was away. */
  private readFailed(): void {
    void this.queries.invalidateQueries({ predicate: (query) => query.state.status === "error" });
  }

  private readAgain(): void {
    void this.queries.invalidateQueries({ predicate: (query) => query.queryKey[0] !== "session" });
  }

  private takeFlag({ app, key, flag }: Schemas["FlagMessage"]): void {
    const id = `${app}.${key}`;
    if (flag) {
      this.flags.set(id, flag as unknown as Flag);
      this.gone.delete(id);
    } else {
      this.flags.delete(id);
      this.gone.add(id);
      this.mark(["flag", app, key]);
    }
  }

  private outdated({ subject }: { subject: Pick<Schemas["SubjectOut"], "kind" | "app" | "key"> }): void {
    this.mark(["log"]);
    for (const queryKey of SHOWN_BY[subject.kind] ?? []) this.mark(queryKey);
    if (ON_GRAPHS.has(subject.kind)) this.mark(["graph", subject.app, subject.key]);
  }

  /** Whether what needs attention is something else by now. Flags in trouble are sent each second, for their sentences. */
  private statusDiffers(): boolean {
    return this.queries.getQueriesData<Status>({ queryKey: ["status"] }).some(([[, app], status]) =>
      [...this.flags.values()].some((flag) => {
        if (status === undefined || (app !== null && app !== flag.app)) return false;
        const shown = status.flags.find((each) => each.app === flag.app && each.key === flag.key);
        const settled = flag.archived_at === null && IN_TROUBLE.has(flag.state.settled) ? flag.state.settled : null;
        return settled !== (shown?.state.settled ?? null);
      }),
    );
  }

  private mark(queryKey: QueryKey): void {
    this.stale.set(JSON.stringify(queryKey), queryKey);
  }

  /** Put new states into a list. What it has is taken out of `unseen`; what a person has changed goes into `changed`. */
  private withFlags(pages: FlagPages, unseen: Map<string, Flag>, changed: Map<string, Flag>): FlagPages {
    let differs = false;
    const next = pages.pages.map((page) => {
      let here = false;
      const flags = page.flags.flatMap((old) => {
        const id = idOf(old);
        const flag = this.flags.get(id);
        if (flag !== undefined) {
          unseen.delete(id);
          if (isOlder(flag, old)) return [old];
          if (flag.version !== old.version) changed.set(id, flag);
          if ((flag.archived_at === null) !== (old.archived_at === null)) this.mark(["flags"]);
          here = true;
          return [flag];
        }
        if (this.gone.has(id)) {
          here = true;
          return [];
        }
        return [old];
      });
      differs ||= here;
      return here ? { ...page, flags } : page;
    });
    return differs ? { ...pages, pages: next } : pages;
  }

  private withSidecars(pages: SidecarPages, seen: Set<string>): SidecarPages {
    const moved = new Map<Sidecar["status"], number>();
    const move = (status: Sidecar["status"], by: number) => moved.set(status, (moved.get(status) ?? 0) + by);
    const next = pages.pages.map((page) => ({
      ...page,
      sidecars: page.sidecars.flatMap((old) => {
        const id = `${old.app}.${old.instance}`;
        const message = this.sidecars.get(id);
        if (message === undefined) return [old];
        seen.add(id);
        const sidecar = message.sidecar as unknown as Sidecar | null;
        move(old.status, -1);
        if (sidecar === null) return [];
        move(sidecar.status, 1);
        return [sidecar];
      }),
    }));
    // Each page counts the sidecars of all.
    const counted = next.map((page) => ({
      ...page,
      counts: Object.fromEntries(
        Object.entries(page.counts).map(([status, number]) => [
          status,
          number + (moved.get(status as Sidecar["status"]) ?? 0),
        ]),
      ),
    }));
    return { ...pages, pages: counted };
  }
}
