import { type RouteObject, replace } from "react-router";

export const routes: RouteObject[] = [
  {
    path: "/settings",
    lazy: async () => ({ Component: (await import("./SettingsLayout")).SettingsLayout }),
    children: [
      { index: true, loader: () => replace("/settings/account") },
      { path: "account", lazy: async () => ({ Component: (await import("./account/AccountPage")).AccountPage }) },
      { path: "users", lazy: async () => ({ Component: (await import("./users/UsersPage")).UsersPage }) },
      {
        path: "invitations",
        lazy: async () => ({ Component: (await import("./invitations/InvitationsPage")).InvitationsPage }),
      },
      { path: "links", lazy: async () => ({ Component: (await import("./links/LinksPage")).LinksPage }) },
      { path: "tokens", lazy: async () => ({ Component: (await import("@/features/keys/TokensPage")).TokensPage }) },
      { path: "tokens", lazy: async () => ({ Component: (await import("@/features/keys/TokensPage")).TokensPage }) },
      { path: "about", lazy: async () => ({ Component: (await import("./AboutPage")).AboutPage }) },
    ],
  },
];
