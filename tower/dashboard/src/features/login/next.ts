const ELSEWHERE = "https://elsewhere.invalid";

/** Pages outside of the dashboard, and the log-in itself, which would lead in a circle. */
const NOT_OURS = /^\/(?:login|enter|api|healthz|readyz|metrics)(?:[/?#]|$)/;

/**
 * Where to go on after the log-in: the path in `next`, if it is one of this dashboard's pages, else the overview.
 *
 * Everybody can send a link with a `next` of their own, so nothing may lead to another host: browsers take `//host`,
 * `/\host` and either with tabs and line ends in between for another host, and `/.//host` becomes `//host`.
 */
export function nextPath(search: string): string {
  const next = new URLSearchParams(search).get("next") ?? "";
  if (!next.startsWith("/") || next.length > 500) return "/";
  // Control characters are dropped by some readers of URLs and kept by others.
  if (/[\p{Cc}\\]/u.test(next) || !URL.canParse(next, ELSEWHERE)) return "/";
  const url = new URL(next, ELSEWHERE);
  if (url.origin !== ELSEWHERE || url.pathname.startsWith("//") || NOT_OURS.test(url.pathname)) return "/";
  return url.pathname + url.search + url.hash;
}

/** The log-in at the provider, which leads back to `next`. */
export function providerUrl(url: string, next: string): string {
  const target = new URL(url, window.location.href);
  target.searchParams.set("next", next);
  return target.href;
}
