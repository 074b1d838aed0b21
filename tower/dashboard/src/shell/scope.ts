import { useLocation } from "react-router";

/** The app that the page is about, out of its path; null where it is about all apps. */
export function useScope(): string | null {
  const { pathname } = useLocation();
  return /^\/apps\/([a-z0-9][a-z0-9_-]*)(?:\/|$)/.exec(pathname)?.[1] ?? null;
}

/** The path of a page in an app, or over all apps. */
export function inScope(app: string | null, page: string): string {
  return app === null ? `/${page}` : `/apps/${app}${page === "" ? "" : `/${page}`}`;
}
