import createClient, { type Middleware } from "openapi-fetch";
import { serverClock } from "./clock";
import { problemOf, unreachable } from "./problem";
import type { components, paths } from "./schema";

export type Schemas = components["schemas"];

/** The CSRF token of the session, which every change carries; `session.ts` sets it. */
let csrfToken: string | null = null;
let onLoggedOut: () => void = () => undefined;

export function setCsrfToken(token: string | null): void {
  csrfToken = token;
}

/** Call `listener` whenever Tower says that the session is over (401). */
export function whenLoggedOut(listener: () => void): void {
  onLoggedOut = listener;
}

const refusals: Middleware = {
  onRequest({ request }) {
    if (request.method !== "GET" && csrfToken !== null) request.headers.set("X-CSRF-Token", csrfToken);
    return request;
  },
  async onResponse({ request, response }) {
    serverClock.heard(response.headers.get("Date"));
    if (response.ok) return response;
    const problem = await problemOf(response);
    if (response.status === 401 && !new URL(request.url).pathname.endsWith("/session")) onLoggedOut();
    throw problem;
  },
  onError({ error }) {
    return error instanceof DOMException && error.name === "AbortError" ? error : unreachable();
  },
};

/** Tower's API, typed by its description. Every refusal is thrown as a `ProblemError`. */
export const api = createClient<paths>({ baseUrl: "/api/v1", credentials: "same-origin" });
api.use(refusals);

/** The header of a change to what was read as `version`; without a version, to whatever is there now. */
export function ifMatch(version?: number): { "If-Match": string } {
  return { "If-Match": version === undefined ? "*" : `"${version}"` };
}

/** The header that says why a change is made, for the log. */
export function because(reason: string | undefined): { "Tailslide-Reason"?: string } {
  return reason === undefined || reason === "" ? {} : { "Tailslide-Reason": encodeURIComponent(reason) };
}

/** Return the data of a response that has some. */
export function dataOf<T>(result: { data?: T }): T {
  if (result.data === undefined) throw new TypeError("Tower answered without a body where one was expected.");
  return result.data;
}
