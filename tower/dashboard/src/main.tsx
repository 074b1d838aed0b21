import "@mantine/core/styles.layer.css";
import "@mantine/notifications/styles.layer.css";
import "./styles.css";
import { localStorageColorSchemeManager, MantineProvider } from "@mantine/core";
import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { RouterProvider } from "react-router";
import { whenLoggedOut } from "@/api/client";
import { ProblemError } from "@/api/problem";
import { sessionQuery } from "@/api/session";
import { router } from "./router";
import { NotificationsHost } from "./shell/NotificationsHost";
import { theme } from "./theme";

const queries = new QueryClient({
  defaultOptions: {
    queries: {
      // The live connection says what has changed; nothing is read again for its age alone.
      staleTime: 60_000,
      refetchOnWindowFocus: false,
      retry: (failures, error) => failures < 2 && error instanceof ProblemError && [0, 502, 503].includes(error.status),
    },
  },
});
whenLoggedOut(() => void queries.invalidateQueries({ queryKey: sessionQuery.queryKey }));

const root = document.getElementById("root");
if (root === null) throw new Error("index.html has no #root");
createRoot(root).render(
  <StrictMode>
    <MantineProvider
      theme={theme}
      defaultColorScheme="auto"
      colorSchemeManager={localStorageColorSchemeManager({ key: "tailslide-scheme" })}
    >
      <QueryClientProvider client={queries}>
        <NotificationsHost />
        <RouterProvider router={router} />
      </QueryClientProvider>
    </MantineProvider>
  </StrictMode>,
);
