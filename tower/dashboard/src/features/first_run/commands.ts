/** How the servers run: by `tailslide up` on this machine, or as somebody's own. */
export type Servers = "up" | "own";

/** The command that makes an SDK key for a terminal, and tells it where the servers are. */
export function envCommand(app: string): string {
  return `eval "$(tailslide env --app ${app})"`;
}

/** The settings that a sidecar needs with servers of one's own. */
export function ownEnvironment(sdkKey: string | null): string {
  return [
    `export TAILSLIDE_SDK_KEY='${sdkKey ?? "tsk.…"}'`,
    "export TAILSLIDE_NATS_URL='nats://nats.example:4222'",
    "export TAILSLIDE_REDIS_URL='redis://redis.example:6379'",
  ].join("\n");
}

export function sidecarCommand(app: string): string {
  return `TAILSLIDE_APP=${app} tailslide sidecar`;
}

/** Where a sidecar answers flags unless it is told otherwise. */
export const SIDECAR_LISTENER = "127.0.0.1:4141";

/** How to ask a sidecar for a flag, at the address where it listens. */
export function askCommand(listener: string, flag: string): string {
  const path = `/v1/flags/${flag}?targeting_key=user-1`;
  if (listener.startsWith("unix:")) {
    return `curl --unix-socket ${listener.slice("unix:".length)} "http://sidecar${path}"`;
  }
  // Where it listens at all addresses, one of them is this machine's own.
  return `curl "http://${listener.replace(/^(?:0\.0\.0\.0|\[::\]):/, "127.0.0.1:")}${path}"`;
}
