import { useQuery } from "@tanstack/react-query";
import { api, dataOf, type Schemas } from "@/api/client";
import { counted } from "@/components/numbers";
import type { Flag } from "@/features/flags/api";
import { same } from "../editing/draft";

type Rule = Flag["rules"][number];
export type Evaluations = Pick<Schemas["EvaluationsOut"], "variants" | "rules">;

/** How many answers of the last hour gave each variant, and how many each rule decided; what was never counted is not there. */
export interface Answered {
  variants: Readonly<Record<string, number>>;
  rules: Readonly<Record<string, number>>;
  /** All answers. */
  all: number;
}

/** Add up what the graph has in single points. A series of gaps alone was not counted in the last hour, which is not zero. */
export function addedUp({ variants, rules }: Evaluations): Answered {
  const given = sums(variants);
  return { variants: given, rules: sums(rules), all: Object.values(given).reduce((all, each) => all + each, 0) };
}

function sums(series: Record<string, (number | null)[]>): Record<string, number> {
  const counted = Object.entries(series).filter(([, points]) => points.some((point) => point !== null));
  return Object.fromEntries(
    counted.map(([name, points]) => [name, points.reduce<number>((sum, point) => sum + (point ?? 0), 0)]),
  );
}

/** The name under which the answers of a rule of the draft are counted; null for one that is not saved like this. */
export function countedAs(rule: Rule, saved: readonly Rule[]): string | null {
  if (rule.name) return saved.some(({ name }) => name === rule.name) ? rule.name : null;
  const place = saved.findIndex((each) => same(each, rule));
  return place === -1 ? null : String(place + 1);
}

/** `1,204 answers in the last hour`; none is said, never drawn as zero. */
export function answersInWords(answers: number | undefined): string {
  return answers === undefined ? "No answers in the last hour" : `${counted(answers, "answer")} in the last hour`;
}

const AGAIN_MS = 10_000;

/** The answers of the last hour, read again each ten seconds: counts are kept no finer than that. */
export function useAnswered({ app, key: flag }: Pick<Flag, "app" | "key">) {
  return useQuery({
    queryKey: ["graph", app, flag, "answers"],
    queryFn: async (): Promise<Answered> => {
      const path = { app, flag };
      const graph = await api.GET("/apps/{app}/flags/{flag}/timeseries", { params: { path, query: { range: "1h" } } });
      return addedUp(dataOf(graph).evaluations);
    },
    refetchInterval: AGAIN_MS,
  });
}
