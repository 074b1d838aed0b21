import type { Command } from "./registry";

/** How well a word is met by a name, from 1 to 3; 0: not at all. */
function met(word: string, name: string): number {
  const at = name.indexOf(word);
  if (at < 0) return 0;
  if (at === 0) return 3;
  return /[a-z0-9]/.test(name.charAt(at - 1)) ? 1 : 2;
}

/**
 * The commands that have all words of `query` in their name or hint: best first, recent ones before others that are as
 * good. Without a query, all of them, recent ones first.
 */
export function ranked(commands: readonly Command[], query: string, recent: readonly string[]): Command[] {
  const words = query.toLowerCase().split(/\s+/).filter(Boolean);
  const scored = commands.flatMap((command, place) => {
    const name = command.name.toLowerCase();
    const hint = command.hint?.toLowerCase() ?? "";
    let score = 0;
    for (const word of words) {
      // A name is what is looked for; a hint only tells alike names apart.
      const value = met(word, name) * 2 || Math.min(met(word, hint), 1);
      if (value === 0) return [];
      score += value;
    }
    if (words.length > 0 && name === words.join(" ")) score += 10;
    const used = recent.indexOf(command.id);
    return [{ command, score, used: used < 0 ? recent.length : used, place }];
  });
  scored.sort((one, other) => other.score - one.score || one.used - other.used || one.place - other.place);
  return scored.map(({ command }) => command);
}

/** Commands without those that are there twice; the first one stays. */
export function once(commands: readonly Command[]): Command[] {
  const seen = new Set<string>();
  return commands.filter(({ id }) => !seen.has(id) && seen.add(id));
}
