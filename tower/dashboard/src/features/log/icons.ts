import {
  IconApi,
  IconBolt,
  IconBuilding,
  IconCircleCheck,
  IconHandStop,
  IconInfoCircle,
  IconKey,
  IconLink,
  IconServer,
  IconStairsUp,
  IconTerminal2,
  IconUser,
} from "@tabler/icons-react";
import state from "@/components/state.module.css";
import type { Entry } from "./api";

interface Sign {
  icon: typeof IconUser;
  /** What the icon says, for those who do not see it. */
  word: string;
  /** The colour of the state that a circuit has come into; others have none. */
  tone?: string;
}

const CIRCUITS: Readonly<Record<string, Sign>> = {
  "circuit.opened": { icon: IconBolt, word: "Circuit open", tone: state.open },
  "circuit.reopened": { icon: IconBolt, word: "Circuit open again", tone: state.open },
  "circuit.recovering": { icon: IconStairsUp, word: "Circuit recovering", tone: state.recovering },
  "circuit.step": { icon: IconStairsUp, word: "Circuit recovering", tone: state.recovering },
  "circuit.closed": { icon: IconCircleCheck, word: "Circuit closed", tone: state.on },
  "circuit.calm": { icon: IconCircleCheck, word: "Circuit closed", tone: state.on },
};
const ACTORS: Readonly<Record<string, Sign>> = {
  user: { icon: IconUser, word: "By a person" },
  token: { icon: IconApi, word: "By an API token" },
  environment: { icon: IconTerminal2, word: "With Tower's own token" },
  link: { icon: IconLink, word: "By a link" },
};
const SUBJECTS: Readonly<Record<string, Sign>> = {
  sidecar: { icon: IconServer, word: "Sidecars" },
  sdk_key: { icon: IconKey, word: "SDK key" },
  app: { icon: IconBuilding, word: "App" },
};

/** The icon of an entry: what became of a circuit, else who has done it. */
export function signOf({ action, actor, subject, changes }: Entry): Sign {
  const circuit = CIRCUITS[action];
  if (circuit !== undefined) return circuit;
  if (changes.some(({ field, after }) => field === "circuit.forced_open" && after === true)) {
    return { icon: IconHandStop, word: "Held off", tone: state.held_off };
  }
  return ACTORS[actor.kind] ?? SUBJECTS[subject.kind] ?? { icon: IconInfoCircle, word: "By the system" };
}
