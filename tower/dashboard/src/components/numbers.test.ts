import { expect, it } from "vitest";
import vectors from "../../../../tests/conformance/numbers.json";
import { count, counted, exactSpan, NOT_KNOWN, percent, rate, roughSpan, share } from "./numbers";

// Vitest runs with the locale en-US, in which the vectors are written.
it.each(vectors.percent)("percent of $value is $text", ({ value, text }) => expect(percent(value)).toBe(text));

it.each(vectors.share)("share of $value is $text", ({ value, text }) => {
  // In tables there is no room for the words.
  expect(share(value)).toBe(text.replace("less than ", "<").replace("more than ", ">"));
});

it.each(vectors.counted)("counted is $text", ({ value, noun, text }) => expect(counted(value, noun)).toBe(text));

it.each(vectors.exact_span)("exactly $ms ms are $text", ({ ms, text }) => expect(exactSpan(ms)).toBe(text));

it.each(vectors.rough_span)("roughly $ms ms, up: $up, are $text", ({ ms, up, text }) =>
  expect(roughSpan(ms, up)).toBe(text),
);

it("does not draw what is not known as zero", () => {
  expect(share(null)).toBe(NOT_KNOWN);
  expect(rate(undefined)).toBe(NOT_KNOWN);
});

it.each([
  [0, "0/s"],
  [0.01, "<0.1/s"],
  [0.4, "0.4/s"],
  [12.4, "12/s"],
  [1234, "1.2k/s"],
])("a rate of %d is %s", (value, text) => expect(rate(value)).toBe(text));

it("separates thousands", () => expect(count(4210)).toBe("4,210"));
