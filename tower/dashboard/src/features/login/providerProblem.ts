/**
 * Why a log-in at the provider let nobody in, by the word that Tower puts into `problem`. Everybody can send a link with a
 * `problem` of their own, so only these sentences are ever shown.
 */
const SENTENCES: ReadonlyMap<string, string> = new Map([
  ["no_account", "You have no account here yet. Ask an admin to invite you."],
  ["disabled", "Your account is disabled. Ask an admin."],
  ["another_person", "Your e-mail address belongs to another person's account here. Ask an admin."],
  ["domain", "E-mail addresses of your domain cannot log in here. Ask an admin."],
  ["unverified", "The provider has not verified your e-mail address. Verify it there, then log in again."],
  ["no_address", "The provider did not tell us your e-mail address. Ask an admin to check its settings."],
  ["refused", "The provider refused the log-in. Try again, or ask an admin to look into Tower's log."],
  ["state", "This log-in was started in another browser, or more than ten minutes ago. Log in again."],
  ["unavailable", "The provider cannot be reached. Try again in a moment, or log in with a password."],
]);

/** The sentence about a log-in at the provider that failed; null where none did. */
export function providerProblem(search: string): string | null {
  return SENTENCES.get(new URLSearchParams(search).get("problem") ?? "") ?? null;
}
