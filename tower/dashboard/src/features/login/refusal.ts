import { ProblemError, sentenceOf } from "@/api/problem";

export interface Refusal {
  sentence: string;
  /** Until when no password is looked at, in Unix milliseconds of Tower's clock; null where nothing has to be waited for. */
  untilMs: number | null;
}

/** Why a log-in was refused, in words. */
export function refusalOf(error: unknown, nowMs: number): Refusal {
  if (!(error instanceof ProblemError)) return { sentence: sentenceOf(error), untilMs: null };
  if (error.status === 401) {
    return {
      sentence: "The e-mail address or the password is wrong, or the account is disabled.",
      untilMs: null,
    };
  }
  if (error.status === 429) {
    const waitS = error.members.retry_after_s;
    return {
      sentence: "There were too many failed attempts, so no password is looked at for now, not even the right one.",
      untilMs: typeof waitS === "number" ? nowMs + waitS * 1000 : null,
    };
  }
  if (error.status === 0) return { sentence: "Tower cannot be reached.", untilMs: null };
  return { sentence: sentenceOf(error), untilMs: null };
}
