/** One attribute as a row of the tester's form. */
export interface AttributeRow {
  name: string;
  kind: Kind;
  text: string;
}
export type Kind = "text" | "number" | "boolean" | "list" | "json";

/** Whom the tester asks for. */
export interface Asked {
  key: string;
  rows: AttributeRow[];
}

export const NOBODY: Asked = { key: "", rows: [] };

/** The attributes of rows, and by name why some cannot be read; these are left out. */
export function attributesOf(rows: readonly AttributeRow[]): {
  attributes: Record<string, unknown>;
  problems: Record<number, string>;
} {
  const attributes: Record<string, unknown> = {};
  const problems: Record<number, string> = {};
  rows.forEach((row, place) => {
    if (row.name === "") {
      if (row.text !== "") problems[place] = "An attribute has a name.";
      return;
    }
    const read = valueOfRow(row);
    if (read === undefined) problems[place] = EXPECTED[row.kind];
    else attributes[row.name] = read;
  });
  return { attributes, problems };
}

const EXPECTED: Readonly<Record<Kind, string>> = {
  text: "",
  number: "Expected a number.",
  boolean: "Expected true or false.",
  list: "",
  json: "Expected JSON.",
};

/** The value of a row; undefined where it cannot be read. */
function valueOfRow({ kind, text }: AttributeRow): unknown {
  switch (kind) {
    case "text":
      return text;
    case "number": {
      const number = Number(text);
      return text.trim() === "" || !Number.isFinite(number) ? undefined : number;
    }
    case "boolean":
      return text === "true" ? true : text === "false" ? false : undefined;
    case "list":
      return text
        .split(",")
        .map((item) => item.trim())
        .filter((item) => item !== "");
    case "json":
      return parsed(text);
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** The row of an attribute as JSON has it. */
export function rowOf(name: string, value: unknown): AttributeRow {
  if (typeof value === "string") return { name, kind: "text", text: value };
  if (typeof value === "number") return { name, kind: "number", text: String(value) };
  if (typeof value === "boolean") return { name, kind: "boolean", text: String(value) };
  if (Array.isArray(value) && value.every((item) => typeof item === "string" && !item.includes(",") && item !== "")) {
    return { name, kind: "list", text: value.join(", ") };
  }
  return { name, kind: "json", text: JSON.stringify(value) };
}

const KEY_NAMES = ["targetingKey", "targeting_key"];

/** Read a context as an application sends it: OpenFeature's, whose key is `targetingKey`, or one with `attributes`. */
export function askedIn(text: string): Asked | null {
  const value = parsed(text);
  if (typeof value !== "object" || value === null || Array.isArray(value)) return null;
  const context = value as Record<string, unknown>;
  const key = KEY_NAMES.map((name) => context[name]).find((each) => typeof each === "string");
  const { attributes } = context;
  const nested = typeof attributes === "object" && attributes !== null && !Array.isArray(attributes);
  const others = Object.entries(context).filter(
    ([name]) => !KEY_NAMES.includes(name) && !(nested && name === "attributes"),
  );
  const all = [...others, ...(nested ? Object.entries(attributes) : [])];
  return { key: typeof key === "string" ? key : "", rows: all.map(([name, each]) => rowOf(name, each)) };
}

/** The same as OpenFeature's JSON, to copy and to edit. */
export function contextOf({ key, rows }: Asked): string {
  return JSON.stringify({ ...(key === "" ? {} : { targetingKey: key }), ...attributesOf(rows).attributes }, null, 2);
}

/** Who is asked for, in a few words. */
export function askedInWords({ key, rows }: Asked): string {
  const attributes = rows.filter(({ name }) => name !== "").map(({ name, text }) => `${name} ${text}`);
  return [key === "" ? "a call without a targeting key" : key, ...attributes].join(", ");
}

const KEPT = 6;

/** Those asked for lately, the last first, each once. */
export function withRecent(recent: readonly Asked[], asked: Asked): Asked[] {
  const same = (other: Asked) => JSON.stringify(other) === JSON.stringify(asked);
  return [asked, ...recent.filter((each) => !same(each))].slice(0, KEPT);
}
