/** How a value of metadata is written in a form. */
export type Kind = "text" | "number" | "yes or no";

export interface Row {
  name: string;
  kind: Kind;
  value: string;
}

export function rowsOf(metadata: Readonly<Record<string, unknown>>): Row[] {
  return Object.entries(metadata).map(([name, value]) => ({ name, kind: kindOf(value), value: String(value) }));
}

function kindOf(value: unknown): Kind {
  if (typeof value === "number") return "number";
  return typeof value === "boolean" ? "yes or no" : "text";
}

/** What the rows say. Rows without a name are not there yet, and of two with one name the last counts. */
export function metadataOf(rows: readonly Row[]): Record<string, unknown> {
  return Object.fromEntries(rows.filter(({ name }) => name !== "").map((row) => [row.name, valueOfRow(row)]));
}

function valueOfRow({ kind, value }: Row): string | number | boolean {
  if (kind === "yes or no") return value === "true";
  if (kind === "text") return value;
  const number = Number(value);
  // Tower says what is wrong with a text where a number should be; here it is only kept.
  return value.trim() === "" || !Number.isFinite(number) ? value : number;
}

/** What is wrong with a row, before it is sent. */
export function problemOfRow(rows: readonly Row[], place: number): string | undefined {
  const row = rows[place];
  if (row === undefined) return undefined;
  if (row.name !== "" && rows.some((other, index) => index > place && other.name === row.name)) {
    return "This name is there twice; the lower one counts.";
  }
  if (row.kind === "number" && (row.value.trim() === "" || !Number.isFinite(Number(row.value)))) {
    return "This is not a number.";
  }
  return undefined;
}
