import { Box } from "@mantine/core";
import { Suspense } from "react";
import { Outlet } from "react-router";
import { LoadingState } from "@/components/views";
import { PaletteHost } from "./commands/PaletteHost";
import { Navigation } from "./Navigation";
import { StaleBanner } from "./StaleBanner";
import styles from "./shell.module.css";
import { TopBar } from "./TopBar";

/** What stands around every page: the subjects to the left (below on a phone), app, search and live state above. */
export function Shell() {
  return (
    <div className={styles.shell}>
      <a className={styles.skip} href="#page">
        Skip to the page
      </a>
      <TopBar />
      <PaletteHost />
      <Navigation />
      <Box component="main" id="page" className={styles.page} tabIndex={-1}>
        <StaleBanner />
        <Suspense fallback={<LoadingState />}>
          <Outlet />
        </Suspense>
      </Box>
    </div>
  );
}
