import { settingsInWords } from "../circuit/inWords";
import type { Draft } from "../editing/draft";
import { whoIsIn } from "../switch/consequences";
import { splitInWords } from "../targeting/rules/words";

/** What will be made, a sentence for each thing that matters. */
export function newFlagInWords(app: string, key: string, draft: Draft, slack: string): string[] {
  return [
    `The flag ${key} in ${app}, ${draft.active ? "on" : "off at first"}.`,
    ofUsers(draft),
    settingsInWords(draft.circuit),
    ...(slack === "" ? [] : ["Slack is told when its circuit opens and closes."]),
    ...(draft.lifetime === "temporary"
      ? [`It is temporary${draft.expected_end === null ? "" : `, until ${draft.expected_end}`}.`]
      : []),
  ];
}

function ofUsers(draft: Draft): string {
  const who = whoIsIn(draft);
  const gets = draft.rollout === 100 ? "gets" : "get";
  const [given, out] = [splitInWords(draft.split), draft.off_variant];
  const when = draft.active ? "" : "Once it is on, ";
  const said = `${when}${who} ${gets} ${given}${draft.rollout === 100 ? "" : `, always the same ones; the others get ${out}`}.`;
  return said.charAt(0).toUpperCase() + said.slice(1);
}
