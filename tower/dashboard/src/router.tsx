import { createBrowserRouter } from "react-router";
import { routes as alerts } from "@/features/alerts/routes";
import { routes as apps } from "@/features/apps/routes";
import { routes as firstRun } from "@/features/first_run/routes";
import { routes as flag } from "@/features/flag/routes";
import { routes as flags } from "@/features/flags/routes";
import { routes as keys } from "@/features/keys/routes";
import { routes as log } from "@/features/log/routes";
import { routes as login } from "@/features/login/routes";
import { routes as overview } from "@/features/overview/routes";
import { routes as segments } from "@/features/segments/routes";
import { routes as settings } from "@/features/settings/routes";
import { routes as sidecars } from "@/features/sidecars/routes";
import { Broken } from "@/shell/Broken";
import { LoggedIn } from "@/shell/LoggedIn";
import { NotFound } from "@/shell/NotFound";
import { Shell } from "@/shell/Shell";
import { Starting } from "@/shell/Starting";

/** All pages, a subject after another; each subject says its own paths in `features/<subject>/routes.ts`. */
export const router = createBrowserRouter([
  {
    errorElement: <Broken />,
    hydrateFallbackElement: <Starting />,
    children: [
      ...login,
      {
        element: <LoggedIn />,
        children: [
          {
            element: <Shell />,
            children: [
              {
                errorElement: <Broken />,
                children: [
                  ...overview,
                  ...flags,
                  ...flag,
                  ...apps,
                  ...segments,
                  ...log,
                  ...alerts,
                  ...keys,
                  ...sidecars,
                  ...settings,
                  ...firstRun,
                  { path: "*", element: <NotFound /> },
                ],
              },
            ],
          },
        ],
      },
    ],
  },
]);
