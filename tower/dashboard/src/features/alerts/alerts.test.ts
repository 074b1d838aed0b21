import { describe, expect, it } from "vitest";
import { adviceFor } from "./advice";
import type { Webhook } from "./api";
import { aboutInWords, OCCASIONS, occasionName } from "./occasions";
import { slackOf, slackUrlProblem } from "./slack";

describe("slackUrlProblem", () => {
  it("takes addresses of Slack and of chats like it, and none", () => {
    expect(slackUrlProblem("")).toBeNull();
    expect(slackUrlProblem(" https://hooks.slack.com/services/T000/B000/XXXX ")).toBeNull();
    expect(slackUrlProblem("https://chat.example.org/hooks/abc")).toBeNull();
  });

  it("says what is missing", () => {
    expect(slackUrlProblem("hooks.slack.com/services/T000")).toContain("whole address");
    expect(slackUrlProblem("ftp://hooks.slack.com/x")).toContain("https://");
    expect(slackUrlProblem("https://hooks.slack.com/services/")).toContain("not a whole address");
    expect(slackUrlProblem("https://hooks.slack.com/ services")).toContain("no spaces");
  });
});

describe("slackOf", () => {
  const webhook = (some: Partial<Webhook>) =>
    ({ id: "wh_1", kind: "slack", app: "shop", flag: "pay", created_at: "2026-11-22T00:00:00Z", ...some }) as Webhook;

  it("finds the oldest to Slack about this flag alone", () => {
    const found = slackOf(
      [
        webhook({ id: "all", app: null, flag: null }),
        webhook({ id: "app", flag: null }),
        webhook({ id: "json", kind: "generic" }),
        webhook({ id: "second" }),
        webhook({ id: "first", created_at: "2026-11-21T00:00:00Z" }),
      ],
      "shop",
      "pay",
    );
    expect(found?.id).toBe("first");
    expect(slackOf([], "shop", "pay")).toBeUndefined();
  });
});

describe("words", () => {
  it("say what a webhook is about", () => {
    expect(aboutInWords({ app: null, flag: null })).toBe("all apps");
    expect(aboutInWords({ app: "shop", flag: null })).toBe("all flags of shop");
    expect(aboutInWords({ app: "shop", flag: "pay" })).toBe("the flag pay of shop");
  });

  it("know every occasion once", () => {
    expect(new Set(OCCASIONS.map(({ occasion }) => occasion)).size).toBe(9);
    expect(occasionName("opened")).toBe("Circuit open");
    expect(occasionName("something_new")).toBe("something new");
  });

  it("say what to do about a refused address", () => {
    const refused = "127.0.0.1 is a loopback address; to allow it, add its network to TAILSLIDE_ALERT_ALLOWED_NETWORKS";
    expect(adviceFor(null, refused)).toContain("TAILSLIDE_ALERT_ALLOWED_NETWORKS");
    expect(adviceFor(404, "the receiver answered 404")).toContain("does not know this address");
    expect(adviceFor(200, null)).toBeNull();
  });
});
