import { queryOptions } from "@tanstack/react-query";
import { api, dataOf, type Schemas } from "@/api/client";

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
