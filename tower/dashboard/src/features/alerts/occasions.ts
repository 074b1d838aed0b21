import type { Occasion } from "./api";

interface OccasionText {
  occasion: Occasion;
  name: string;
  when: string;
  /** What an alert says then, in the words of `tower/tailslide_tower/alerts/texts.py`. */
  example: string;
}

/** What webhooks can be told of, in the order of a trip, then what people do, then what concerns all. */
export const OCCASIONS: readonly OccasionText[] = [
  {
    occasion: "opened",
    name: "Circuit open",
    when: "A closed circuit opened: nobody gets the feature now.",
    example: `Circuit open: new-checkout (Checkout, production)
The circuit of new-checkout opened: 62% of 141 calls failed in 10 s; the threshold is 50%.
Nobody gets new-checkout now. Calls go to the fallback.
The circuit lets users back in by itself from 03:00:40 UTC, 10% first.`,
  },
  {
    occasion: "reopened",
    name: "Circuit open again",
    when: "A circuit opened again while it was recovering.",
    example: `Circuit open again: new-checkout (Checkout, production)
The circuit of new-checkout opened again while it was recovering: 62% of 141 calls failed in 10 s; the threshold is 50%.
Nobody gets new-checkout now. Calls go to the fallback.
The circuit lets users back in by itself from 03:00:40 UTC, 10% first.`,
  },
  {
    occasion: "recovering",
    name: "Users come back",
    when: "The first users are let back in. There is no alert for the later steps.",
    example: `Users come back: new-checkout (Checkout, production)
The circuit of new-checkout lets users back in: 10% of the rollout.
10% of the users in the rollout get new-checkout now.
If its calls go well, the next step comes at 03:00:15 UTC.`,
  },
  {
    occasion: "closed",
    name: "Circuit closed",
    when: "A recovery came to its end, or a person reset a circuit that was not closed.",
    example: `Circuit closed: new-checkout (Checkout, production)
The circuit of new-checkout closed: its recovery went well.
All users in the rollout get new-checkout.`,
  },
  {
    occasion: "reset",
    name: "Circuit reset",
    when: "A person reset a circuit that was not closed, also by turning its flag on.",
    example: `Circuit reset: new-checkout (Checkout, production)
The circuit of new-checkout was reset by a person.
All users in the rollout get new-checkout.`,
  },
  {
    occasion: "toggled",
    name: "Turned on or off",
    when: "A person turned a flag on or off, also as part of a larger change or of a roll back.",
    example: `Turned off: new-checkout (Checkout, production)
editor@example.org turned new-checkout off.
Reason: “payments incident”.
Nobody gets it now, and its circuit is not judged.`,
  },
  {
    occasion: "changed",
    name: "Flag changed",
    when: "A person changed, rolled back, archived, restored or deleted a flag.",
    example: `Flag changed: new-checkout (Checkout, production)
editor@example.org changed new-checkout: rollout 25% → 50%; 2 users added to the allow list.`,
  },
  {
    occasion: "nothing_judged",
    name: "No circuit is judged",
    when: "No Aerobat has judged circuits for 30 s, and when that is over. Flags with a circuit are not protected then.",
    example: `No circuit is judged
No circuit has been judged since 02:59:40 UTC: no Aerobat is judging circuits: none is running, or none can read Redis.
Flags work and changes arrive, but no circuit opens or recovers.
Another alert follows when circuits are judged again.`,
  },
  {
    occasion: "sidecar_lost",
    name: "Sidecar lost",
    when: "A sidecar has not been heard from for about 45 s and did not stop cleanly, and when it is back.",
    example: `1 sidecar lost: Checkout, production
1 sidecar has not been heard from since 02:59:25 UTC: web-1-3f9a2c. It did not stop cleanly.
If a sidecar has died, its application gets its callers' defaults. If it cannot reach NATS, it answers from the last state it has, and changes do not arrive.`,
  },
];

/** What a webhook is told of unless somebody chooses. */
export const DEFAULT_OCCASIONS: readonly Occasion[] = ["opened", "reopened", "closed", "nothing_judged"];

/** What people call an occasion; one that only a newer Tower knows keeps its own word. */
export function occasionName(occasion: string): string {
  return OCCASIONS.find((each) => each.occasion === occasion)?.name ?? occasion.replaceAll("_", " ");
}

/** What a webhook is about. */
export function aboutInWords({ app, flag }: { app: string | null; flag: string | null }): string {
  if (app === null) return "all apps";
  return flag === null ? `all flags of ${app}` : `the flag ${flag} of ${app}`;
}
