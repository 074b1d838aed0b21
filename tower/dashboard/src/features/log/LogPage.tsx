import { Text } from "@mantine/core";
import { PageHead } from "@/components/views";
import { useScope } from "@/shell/scope";
import { Exports, Log } from "./Log";

/** Everything that was changed, and every transition of a circuit: of an app, or of all. */
export function LogPage() {
  const app = useScope();
  const where = { app, flag: null };
  return (
    <>
      <PageHead title="Log" tab={app === null ? "Log" : `Log of ${app}`} actions={<Exports where={where} />}>
        <Text c="var(--quiet)">Who changed what, when and why, and what circuits did by themselves.</Text>
      </PageHead>
      <Log where={where} />
    </>
  );
}
