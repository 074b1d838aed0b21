import { expect, test } from "vitest";
import { metadataOf, problemOfRow, rowsOf } from "./metadataRows";

test("metadata in rows, and back, is the same", () => {
  const metadata = { ticket: "SHOP-12", level: 3, beta: true, half: 0.5, digits: "12" };
  expect(metadataOf(rowsOf(metadata))).toEqual(metadata);
});

test("rows without a name are not there yet", () => {
  expect(metadataOf([{ name: "", kind: "text", value: "x" }])).toEqual({});
});

test("what is wrong is said at its row", () => {
  const rows = [
    { name: "a", kind: "number", value: "many" },
    { name: "b", kind: "text", value: "" },
    { name: "b", kind: "text", value: "2" },
  ] as const;
  expect(rows.map((_, place) => problemOfRow(rows, place))).toEqual([
    "This is not a number.",
    "This name is there twice; the lower one counts.",
    undefined,
  ]);
});
