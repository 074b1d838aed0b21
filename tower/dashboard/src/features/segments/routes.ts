import type { RouteObject } from "react-router";

export const routes: RouteObject[] = [
  { path: "/segments", lazy: async () => ({ Component: (await import("./SegmentsPage")).AllSegmentsPage }) },
  { path: "/apps/:app/segments", lazy: async () => ({ Component: (await import("./SegmentsPage")).SegmentsPage }) },
  {
    path: "/apps/:app/segments/:segment",
    lazy: async () => ({ Component: (await import("./SegmentPage")).SegmentPage }),
  },
  {
    path: "/apps/:app/new-segment",
    lazy: async () => ({ Component: (await import("./NewSegmentPage")).NewSegmentPage }),
  },
];
