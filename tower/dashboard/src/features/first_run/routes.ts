import type { RouteObject } from "react-router";

export const routes: RouteObject[] = [
  { path: "/welcome", lazy: async () => ({ Component: (await import("./WelcomePage")).WelcomePage }) },
];
