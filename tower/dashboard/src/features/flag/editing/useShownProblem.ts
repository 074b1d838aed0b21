import { useEffect } from "react";
import { useLocation, useNavigate } from "react-router";
import type { ProblemError } from "@/api/problem";
import { paths } from "@/shell/paths";
import { type FieldTab, tabOf } from "./problems";

const PATIENCE_MS = 5_000;

const PLACES: Readonly<Record<FieldTab, (app: string, flag: string) => string>> = {
  targeting: paths.flag,
  circuit: paths.circuit,
  settings: paths.flagSettings,
};

/** Lead to what was refused: open its tab, and put the focus on the first field that shows a problem, once it is there. */
export function useShownProblem(problem: ProblemError | null, { app, key }: { app: string; key: string }): void {
  const navigate = useNavigate();
  const { pathname } = useLocation();
  const tab = problem?.field == null ? null : tabOf(problem.field);
  const place = tab === null ? null : PLACES[tab](app, key);
  // biome-ignore lint/correctness/useExhaustiveDependencies: a problem leads to its tab once; then people go where they like
  useEffect(() => {
    if (place !== null && place !== pathname) void navigate(place, { preventScrollReset: true });
  }, [problem]);
  useFocusOnProblem(problem);
}

/** Put the focus on the first field of the page that shows a problem, once it is there. */
export function useFocusOnProblem(problem: ProblemError | null): void {
  useEffect(() => {
    if (problem === null) return;
    return whenShown("#page [aria-invalid='true'], #page [data-problem]", (field) => {
      field.scrollIntoView({ block: "center" });
      field.focus({ preventScroll: true });
    });
  }, [problem]);
}

/** Call `found` with the first element that `selector` finds, now or when it is shown; stop waiting by what is returned. */
function whenShown(selector: string, found: (element: HTMLElement) => void): () => void {
  const look = () => {
    const element = document.querySelector<HTMLElement>(selector);
    if (element === null) return;
    stop();
    found(element);
  };
  const observer = new MutationObserver(look);
  const timer = setTimeout(() => observer.disconnect(), PATIENCE_MS);
  const stop = () => {
    clearTimeout(timer);
    observer.disconnect();
  };
  observer.observe(document.body, { subtree: true, childList: true, attributes: true });
  look();
  return stop;
}
