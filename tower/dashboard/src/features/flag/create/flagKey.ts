/** The longest key, in characters. */
const LONGEST = 100;

/** A key out of a name: `New checkout!` is `new-checkout`. */
export function keyFrom(name: string): string {
  return name
    .normalize("NFKD")
    .replace(/\p{M}/gu, "")
    .toLowerCase()
    .replace(/[^a-z0-9._-]+/g, "-")
    .replace(/\.{2,}/g, ".")
    .replace(/-{2,}/g, "-")
    .slice(0, LONGEST)
    .replace(/^[-._]+|[-.]+$/g, "");
}

export const KEY_RULE =
  "Letters, digits, dots, hyphens and underscores; programs ask for the flag by it, and it cannot be changed later.";

/** What is wrong with a key, in a sentence; null where nothing is. Tower has the last word. */
export function keyProblem(key: string): string | null {
  if (key === "") return "A flag needs a key.";
  if (key.length > LONGEST) return `A key has at most ${LONGEST} characters.`;
  if (/\s/.test(key)) return "A key has no spaces.";
  const odd = /[^A-Za-z0-9._-]/u.exec(key);
  if (odd !== null) return `A key has letters from A to Z, digits, dots, hyphens and underscores, and not “${odd[0]}”.`;
  if (/^[_.]/.test(key)) return "A key does not begin with an underscore or a dot.";
  if (key.endsWith(".") || key.includes("..")) return "A key does not end with a dot, and has no two dots in a row.";
  return null;
}
