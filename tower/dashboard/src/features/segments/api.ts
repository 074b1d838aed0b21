import { queryOptions, useQueryClient } from "@tanstack/react-query";
import { api, because, dataOf, ifMatch, type Schemas } from "@/api/client";
import { useReason } from "@/shell/reason";
import { requestOf, type SegmentDraft } from "./draft";

export type Segment = Schemas["SegmentOut"];
export type ListedSegment = Schemas["ListedSegmentOut"];

/** All segments of an app, with numbers in the place of members and conditions. */
export const segmentsQuery = (app: string) =>
  queryOptions({
    queryKey: ["segments", app],
    queryFn: async (): Promise<ListedSegment[]> => {
      const segments: ListedSegment[] = [];
      let after: string | undefined;
      do {
        const params = { path: { app }, query: { limit: 500, after } };
        const page = dataOf(await api.GET("/apps/{app}/segments", { params }));
        segments.push(...page.segments);
        after = page.next ?? undefined;
      } while (after !== undefined);
      return segments;
    },
  });

export const segmentQuery = (app: string, segment: string) =>
  queryOptions({
    queryKey: ["segment", app, segment],
    queryFn: async (): Promise<Segment> =>
      dataOf(await api.GET("/apps/{app}/segments/{segment}", { params: { path: { app, segment } } })),
  });

/** How segments are changed; each asks for a reason where the app wants one. */
export function useSegmentChanges(app: string) {
  const queries = useQueryClient();
  const reasonFor = useReason();
  const outdated = () => {
    void queries.invalidateQueries({ queryKey: ["segments", app] });
    void queries.invalidateQueries({ queryKey: ["log"] });
  };
  const taken = (segment: Segment): Segment => {
    queries.setQueryData(segmentQuery(app, segment.key).queryKey, segment);
    outdated();
    return segment;
  };
  const why = async () => because(await reasonFor(app));

  const create = async (body: Schemas["SegmentCreate"]): Promise<Segment> =>
    taken(dataOf(await api.POST("/apps/{app}/segments", { params: { path: { app }, header: await why() }, body })));

  /** Save what makes `before` into `after`, against the version that `before` is. */
  const save = async (before: Segment, after: SegmentDraft): Promise<Segment> => {
    const path = { app, segment: before.key };
    const header = { ...ifMatch(before.version), ...(await why()) };
    const request = requestOf(before, after);
    return taken(
      dataOf(
        "list" in request
          ? await api.POST("/apps/{app}/segments/{segment}/members", { params: { path, header }, body: request })
          : await api.PATCH("/apps/{app}/segments/{segment}", { params: { path, header }, body: request }),
      ),
    );
  };

  const remove = async ({ key, version }: Pick<Segment, "key" | "version">): Promise<void> => {
    const params = { path: { app, segment: key }, header: { ...ifMatch(version), ...(await why()) } };
    await api.DELETE("/apps/{app}/segments/{segment}", { params });
    queries.removeQueries({ queryKey: segmentQuery(app, key).queryKey });
    outdated();
  };
  return { create, save, remove };
}
