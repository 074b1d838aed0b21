/** What entries can be about or have done, for the filter: a name, and the API's parameters. */
export interface Subject {
  name: string;
  group: string;
  action: string;
  kind: string;
}

const actions = (group: string, names: Readonly<Record<string, string>>): Subject[] =>
  Object.entries(names).map(([name, action]) => ({ name, group, action, kind: "" }));
const kinds = (group: string, names: Readonly<Record<string, string>>): Subject[] =>
  Object.entries(names).map(([name, kind]) => ({ name, group, action: "", kind }));

/** Within a flag's own log. */
export const OF_FLAG: readonly Subject[] = [
  ...kinds("Flags", { "Changes of flags": "flag" }),
  ...actions("Flags", {
    "Turned on or off": "flag.toggled",
    "Rolled back": "flag.rolled_back",
    "Archived, restored or deleted": "flag.archived,flag.restored,flag.deleted",
  }),
  ...kinds("Circuits", { "Circuits, all": "circuit" }),
  ...actions("Circuits", {
    "Circuit opened": "circuit.opened,circuit.reopened",
    "Circuit closed": "circuit.closed",
    "Circuit reset by a person": "circuit.reset",
  }),
];

/** In the log of an app, or of all. */
export const SUBJECTS: readonly Subject[] = [
  ...OF_FLAG,
  ...kinds("Other subjects", {
    Segments: "segment",
    Apps: "app",
    Webhooks: "webhook",
    "SDK keys": "sdk_key",
    "Sidecars and notices": "sidecar,system",
  }),
];

/** What only admins see entries of. */
export const ABOUT_PEOPLE: readonly Subject[] = kinds("People and access", {
  "Users and invitations": "user,invitation",
  "Log-ins and sessions": "session",
  "API tokens": "token",
  "Viewer links": "link",
});

/** Return which subject the parameters stand for; undefined where somebody has written others into the address. */
export function subjectOf(subjects: readonly Subject[], action: string, kind: string): Subject | undefined {
  return subjects.find((each) => each.action === action && each.kind === kind);
}
