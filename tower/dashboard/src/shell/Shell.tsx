import { Box } from "@mantine/core";
import { Suspense, useRef } from "react";
import { Outlet } from "react-router";
import { LoadingState } from "@/components/views";
import { PaletteHost } from "./commands/PaletteHost";
import { Navigation } from "./Navigation";
import { NotPublishingBanner } from "./NotPublishingBanner";
import { StaleBanner } from "./StaleBanner";
import styles from "./shell.module.css";
import { TopBar } from "./TopBar";
import { usePageChange } from "./usePageChange";
import { useScroll } from "./useScroll";

/** What stands around every page: the subjects to the left (below on a phone), app, search and live state above. */
export function Shell() {
  const page = useRef<HTMLElement>(null);
  usePageChange(page);
  useScroll();
  return (
    <div className={styles.shell}>
      <a className={styles.skip} href="#page">
        Skip to the page
      </a>
      <TopBar />
      <PaletteHost />
      <Navigation />
      <Box component="main" id="page" ref={page} className={styles.page} tabIndex={-1}>
        <NotPublishingBanner />
        <StaleBanner />
        <Suspense fallback={<LoadingState />}>
          <Outlet />
        </Suspense>
      </Box>
    </div>
  );
}
