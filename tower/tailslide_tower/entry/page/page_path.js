// Which paths a link may lead to: pages of this Tower alone. The same rule as `is_page_path` in auth/entry_links.py.

const MAX_PATH = 500;
const ELSEWHERE = /\\|\/\/|^\/[^/?#]*%|^\/(?:api|enter)(?=[/?#]|$)|\/(?:\.|%2e){1,2}(?=[/?#]|$)/i;
// Everything but a plain space that is invisible, or not a character at all.
const UNPRINTABLE = /[\p{C}\p{Z}]/u;

export function isPagePath(path) {
  return (
    path.startsWith("/") &&
    [...path].length <= MAX_PATH &&
    !UNPRINTABLE.test(path.replaceAll(" ", "")) &&
    !ELSEWHERE.test(path)
  );
}
