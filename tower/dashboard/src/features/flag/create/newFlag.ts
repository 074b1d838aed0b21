import type { Schemas } from "@/api/client";
import type { App } from "@/features/apps/api";
import type { Flag } from "@/features/flags/api";
import { USUAL } from "../circuit/settings/limits";
import { type Circuit, type Draft, draftOf } from "../editing/draft";

/** What a new flag's circuit is where nobody says otherwise; a test holds it against Tower's description. */
export const CIRCUIT: Circuit = { ...USUAL, reset_generation: 0 };

const BLANK: Draft = {
  name: "",
  description: "",
  tags: [],
  owner: null,
  lifetime: "permanent",
  expected_end: null,
  active: false,
  type: "boolean",
  variants: { on: true, off: false },
  off_variant: "off",
  split: [{ variant: "on", weight: 1 }],
  bucket_by: null,
  requires: [],
  metadata: {},
  rollout: 100,
  allow: [],
  deny: [],
  rules: [],
  circuit: CIRCUIT,
  salt: "",
};

/** A new flag of `app` as its defaults have it, owned by whoever makes it where they do not say whose it is. */
export function newDraft(app: App, maker: string | null): Draft {
  const { circuit, ...defaults } = app.defaults as Partial<Schemas["FlagDefaults"]>;
  const given = Object.fromEntries(Object.entries(defaults).filter(([, value]) => value !== null));
  return { ...BLANK, owner: maker, ...(given as Partial<Draft>), circuit: circuitWith(circuit) };
}

function circuitWith(given: Schemas["FlagDefaults"]["circuit"]): Draft["circuit"] {
  if (given === null) return null;
  const { recovery, ...settings } = given ?? {};
  const back = recovery === null ? null : { ...(CIRCUIT.recovery as NonNullable<Circuit["recovery"]>), ...recovery };
  return { ...CIRCUIT, ...(settings as Partial<Circuit>), recovery: back };
}

/** A copy of a flag: off, held by nobody, and with users of its own unless the flag chose a salt. */
export function copyOf(flag: Flag): Draft {
  const draft = draftOf(flag);
  return {
    ...draft,
    name: `${flag.name} (copy)`,
    active: false,
    salt: flag.salt === flag.key ? "" : flag.salt,
    circuit: draft.circuit === null ? null : { ...draft.circuit, reset_generation: 0 },
  };
}

/** What a POST sends to make a flag. */
export function bodyOf(key: string, { circuit, salt, name, ...draft }: Draft): Schemas["FlagCreate"] {
  const { reset_generation: _, ...settings } = circuit ?? CIRCUIT;
  return {
    ...draft,
    key,
    name: name.trim() === "" ? null : name.trim(),
    salt: salt === "" ? null : salt,
    circuit: circuit === null ? null : settings,
  };
}
