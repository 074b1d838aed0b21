import { exactSpan, percent } from "@/components/numbers";
import type { Draft } from "../editing/draft";
import { whoIsIn } from "../switch/consequences";
import { splitInWords } from "../targeting/rules/words";

/** What will be made, a sentence for each thing that matters. */
export function newFlagInWords(app: string, key: string, draft: Draft, slack: string): string[] {
  return [
    `The flag ${key} in ${app}, ${draft.active ? "on" : "off at first"}.`,
    ofUsers(draft),
    circuitInWords(draft.circuit),
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

/** What the circuit does: `Opens when more than 50% of calls fail, judged from 10 calls on.` */
export function circuitInWords(circuit: Draft["circuit"]): string {
  if (circuit === null) return "It has no circuit: nothing takes it from users when it fails.";
  const { error_threshold, min_calls, slow_call_ms, slow_threshold, recovery } = circuit;
  const slow =
    slow_call_ms === null || slow_threshold === null
      ? ""
      : `, or more than ${percent(slow_threshold)} take longer than ${exactSpan(slow_call_ms)}`;
  const back =
    recovery === null
      ? "Users come back when a person lets them"
      : `Users come back after ${exactSpan(recovery.delay_ms)}, ${percent(recovery.initial)} first`;
  return `Its circuit opens when more than ${percent(error_threshold)} of calls fail${slow}, judged from ${min_calls} calls on. ${back}.`;
}
