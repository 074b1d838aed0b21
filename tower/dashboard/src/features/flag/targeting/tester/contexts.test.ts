import { describe, expect, it } from "vitest";
import { askedIn, attributesOf, contextOf, NOBODY, rowOf, withRecent } from "./contexts";

describe("whom the tester asks for", () => {
  it("has attributes of the kinds that rows say", () => {
    const { attributes, problems } = attributesOf([
      { name: "country", kind: "text", text: "DE" },
      { name: "age", kind: "number", text: "18" },
      { name: "staff", kind: "boolean", text: "true" },
      { name: "groups", kind: "list", text: "beta, staff" },
      { name: "user", kind: "json", text: '{"plan": "pro"}' },
      { name: "seats", kind: "number", text: "many" },
      { name: "", kind: "text", text: "lost" },
    ]);
    expect(attributes).toEqual({
      country: "DE",
      age: 18,
      staff: true,
      groups: ["beta", "staff"],
      user: { plan: "pro" },
    });
    expect(Object.keys(problems)).toEqual(["5", "6"]);
  });
  it("is read out of what an application sends, and written as that again", () => {
    const text = '{"targetingKey": "ada", "country": "DE", "age": 18, "groups": ["a", "b"], "user": {"plan": "pro"}}';
    const asked = askedIn(text);
    expect(asked?.key).toBe("ada");
    expect(JSON.parse(contextOf(asked ?? NOBODY))).toEqual(JSON.parse(text));
    expect(askedIn('{"targeting_key": "bob", "attributes": {"plan": "free"}}')).toEqual({
      key: "bob",
      rows: [rowOf("plan", "free")],
    });
    expect(askedIn("[1]")).toBeNull();
    expect(askedIn("{")).toBeNull();
  });
  it("is remembered once, the last first", () => {
    const [ada, bob] = [
      { ...NOBODY, key: "ada" },
      { ...NOBODY, key: "bob" },
    ];
    expect(withRecent(withRecent([ada], bob), ada).map(({ key }) => key)).toEqual(["ada", "bob"]);
  });
});
