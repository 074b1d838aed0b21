import { expect, it } from "vitest";
import { askCommand, envCommand, ownEnvironment, SIDECAR_LISTENER } from "./commands";

it.each([
  [SIDECAR_LISTENER, 'curl "http://127.0.0.1:4141/v1/flags/search?targeting_key=user-1"'],
  ["0.0.0.0:4141", 'curl "http://127.0.0.1:4141/v1/flags/search?targeting_key=user-1"'],
  ["[::]:4141", 'curl "http://127.0.0.1:4141/v1/flags/search?targeting_key=user-1"'],
  ["[::1]:4141", 'curl "http://[::1]:4141/v1/flags/search?targeting_key=user-1"'],
  [
    "unix:/run/tailslide/flags.sock",
    'curl --unix-socket /run/tailslide/flags.sock "http://sidecar/v1/flags/search?targeting_key=user-1"',
  ],
])("asks at %s", (listener, command) => expect(askCommand(listener, "search")).toBe(command));

it("carries the key into the commands", () => {
  expect(ownEnvironment("tsk.abc.def")).toContain("TAILSLIDE_SDK_KEY='tsk.abc.def'");
  expect(ownEnvironment(null)).toContain("tsk.…");
  expect(envCommand("shop")).toBe('eval "$(tailslide env --app shop)"');
});
