import { lazy, Suspense, useCallback, useEffect, useState, useSyncExternalStore } from "react";
import { useLocation, useNavigate } from "react-router";
import { useRights } from "@/api/session";
import { paths } from "../paths";
import { inScope, useScope } from "../scope";
import type { ShortcutId } from "../shortcuts/table";
import { useShortcut, useShortcutKeys } from "../shortcuts/useShortcut";
import { openPalette, palette } from "./palette";
import { remember } from "./recent";

const Palette = lazy(async () => ({ default: (await import("./Palette")).Palette }));
const ShortcutHelp = lazy(async () => ({ default: (await import("../shortcuts/ShortcutHelp")).ShortcutHelp }));

/** The palette, the help of the shortcuts, and the shortcuts that work on every page. */
export function PaletteHost() {
  const asked = useSyncExternalStore(palette.watch, palette.asked);
  const [help, setHelp] = useState(false);
  const showHelp = useCallback(() => setHelp(true), []);
  const { mayEdit } = useRights();
  const app = useScope();
  const navigate = useNavigate();
  useShortcutKeys();
  useShortcut("commands", openPalette);
  useShortcut("search", openPalette);
  useShortcut("help", showHelp);
  useShortcut(
    "new-flag",
    useCallback(() => void navigate(paths.newFlag(app)), [navigate, app]),
    mayEdit(app ?? undefined),
  );
  useGoTo("go-overview", "");
  useGoTo("go-flags", "flags");
  useGoTo("go-log", "log");
  useGoTo("go-alerts", "alerts");
  useGoTo("go-sidecars", "sidecars");
  useGoTo("go-keys", "keys");
  useVisits();
  return (
    <Suspense fallback={null}>
      {asked > 0 && <Palette showShortcuts={showHelp} />}
      {help && <ShortcutHelp close={() => setHelp(false)} />}
    </Suspense>
  );
}

/** Go to a subject by its shortcut: within an app, to the app's. */
function useGoTo(id: ShortcutId, page: string): void {
  const app = useScope();
  const navigate = useNavigate();
  useShortcut(
    id,
    useCallback(() => void navigate(inScope(app, page)), [navigate, app, page]),
  );
}

/** Remember the flags and apps that were looked at, so that the palette has them first. */
function useVisits(): void {
  const { pathname } = useLocation();
  useEffect(() => {
    const [, app, flag] = /^\/apps\/([^/]+)(?:\/flags\/([^/]+))?/.exec(pathname) ?? [];
    if (app === undefined) return;
    if (flag !== undefined) {
      remember({ id: `flag ${app}.${flag}`, name: flag, hint: app, group: "Flags", to: paths.flag(app, flag) });
    } else if (pathname === paths.app(app)) {
      remember({ id: `app ${app}`, name: app, group: "Apps", to: paths.app(app) });
    }
  }, [pathname]);
}
