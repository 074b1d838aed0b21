import type { Roles } from "./api";

export const ROLES = [
  { value: "viewer", label: "Viewer", may: "sees everything" },
  { value: "editor", label: "Editor", may: "also changes flags, segments, circuits and alerts" },
  { value: "admin", label: "Admin", may: "also manages apps, keys and people" },
] as const;

/** What somebody may do, in words: `Admin`, `Viewer; editor of shop`, `Nothing`. */
export function rolesInWords({ role, apps }: Roles, most = 3): string {
  const single = Object.entries(apps).toSorted(([one], [other]) => one.localeCompare(other));
  const named = single.slice(0, most).map(([app, its]) => `${its} of ${app}`);
  if (single.length > most) named.push(`${single.length - most} more`);
  const parts = role === null ? [] : [`${role} of all apps`];
  const text = [...parts, ...named].join("; ");
  return text === "" ? "Nothing" : text.charAt(0).toUpperCase() + text.slice(1);
}

/** What keeps a new password from being one, as `docs/access.md` has it; null where nothing does. */
export function passwordProblem(password: string, email: string): string | null {
  const length = [...password].length;
  if (length < 12)
    return `${12 - length} more ${length === 11 ? "character" : "characters"}: a password has at least 12.`;
  if (length > 256) return "A password has at most 256 characters.";
  if (password.toLowerCase() === email.toLowerCase()) return "The e-mail address cannot be the password.";
  return null;
}

/** Which browser a session is of, as far as its own words tell: `Firefox on Linux`. */
export function browserOf(agent: string): string {
  const browser = BROWSERS.find(([pattern]) => pattern.test(agent))?.[1];
  const system = SYSTEMS.find(([pattern]) => pattern.test(agent))?.[1];
  if (browser === undefined) return agent === "" ? "Unknown program" : agent.slice(0, 60);
  return system === undefined ? browser : `${browser} on ${system}`;
}

// In this order: each names itself beside those that it wants to be taken for.
const BROWSERS = [
  [/Edg\//, "Edge"],
  [/OPR\//, "Opera"],
  [/Firefox\//, "Firefox"],
  [/Chrom(e|ium)\//, "Chrome"],
  [/Safari\//, "Safari"],
] as const;
const SYSTEMS = [
  [/Android/, "Android"],
  [/iPhone|iPad/, "iOS"],
  [/Windows/, "Windows"],
  [/Mac OS X/, "macOS"],
  [/CrOS/, "ChromeOS"],
  [/Linux/, "Linux"],
] as const;
