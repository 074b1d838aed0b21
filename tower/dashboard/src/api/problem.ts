import type { components } from "./schema";

/** Why a request was refused: Tower's problem details (RFC 9457), or a sentence of our own where it did not answer. */
export class ProblemError extends Error {
  readonly code: string;
  readonly status: number;
  /** What is at fault: a path in the body, a parameter, a header. */
  readonly field: string | null;
  /** More of the answer; `current` of a 412 is the resource as it is now. */
  readonly members: Record<string, unknown>;

  constructor(problem: Pick<components["schemas"]["Problem"], "code" | "status" | "detail"> & Record<string, unknown>) {
    super(forPeople(problem.detail));
    this.name = "ProblemError";
    this.code = problem.code;
    this.status = problem.status;
    this.field = typeof problem.field === "string" ? problem.field : null;
    this.members = problem;
  }

  /** Whether somebody else has changed the resource since it was read (412). */
  get stale(): boolean {
    return this.status === 412;
  }
}

/** Sentences of Tower that are for those who write programs, and what a person at a page reads instead. */
const REWORDED: readonly (readonly [RegExp, string])[] = [
  // The pages have a button for it.
  [/; set force to true to do it anyway$/, ""],
  [/; change the field requires there first$/, "; take it out of the prerequisites there first"],
  [/^expected at least 1 (?:character|item)\b.*$/, "This must not be empty."],
  [/^expected no cycle, got (.+)$/, "These flags would require one another in a circle: $1."],
];

function forPeople(detail: string): string {
  return REWORDED.reduce((said, [program, people]) => said.replace(program, people), detail);
}

/** Tower did not answer at all. `status` is 0. */
export function unreachable(): ProblemError {
  return new ProblemError({
    code: "UNREACHABLE",
    status: 0,
    detail: "Tower cannot be reached. Nothing was changed; what you see may be old.",
  });
}

/** Read the problem out of a response that is not 2xx. */
export async function problemOf(response: Response): Promise<ProblemError> {
  const body: unknown = await response.json().catch(() => null);
  if (isProblem(body)) return new ProblemError(body);
  const detail = `Tower, or a proxy before it, answered ${response.status} ${response.statusText}`.trim();
  return new ProblemError({ code: "UNEXPECTED", status: response.status, detail: `${detail}.` });
}

/** A sentence for people about whatever was thrown. Tower's details begin small and have no full stop. */
export function sentenceOf(error: unknown): string {
  const said = error instanceof Error ? error.message : String(error);
  // An address or a key at the beginning stays as it is.
  const begun = /^[a-z]+[ ,]/.test(said) ? said.charAt(0).toUpperCase() + said.slice(1) : said;
  return /[.!?:)]$/.test(begun) ? begun : `${begun}.`;
}

function isProblem(body: unknown): body is components["schemas"]["Problem"] {
  return typeof body === "object" && body !== null && "detail" in body && "code" in body && "status" in body;
}
