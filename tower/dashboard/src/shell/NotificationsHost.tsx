import { notificationsStore } from "@mantine/notifications";
import { lazy, Suspense, useState, useSyncExternalStore } from "react";

const Notifications = lazy(async () => ({ default: (await import("./Notifications")).Notifications }));

const isWanted = () => notificationsStore.getState().notifications.length > 0;

/** Where notifications are shown. The first one waits until the code for it is read: most visits have none. */
export function NotificationsHost() {
  const wanted = useSyncExternalStore(notificationsStore.subscribe, isWanted);
  const [everWanted, setEverWanted] = useState(wanted);
  if (wanted && !everWanted) setEverWanted(true);
  if (!everWanted) return null;
  return (
    <Suspense fallback={null}>
      <Notifications position="bottom-right" />
    </Suspense>
  );
}
