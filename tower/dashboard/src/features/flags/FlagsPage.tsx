import { Button } from "@mantine/core";
import { IconPlus } from "@tabler/icons-react";
import { Link } from "react-router";
import { useRights } from "@/api/session";
import { PageHead } from "@/components/views";
import { paths } from "@/shell/paths";
import { useScope } from "@/shell/scope";
import { FlagsList } from "./table/FlagsList";

/** All flags, of an app or of all apps. */
export function FlagsPage() {
  const app = useScope();
  return (
    <>
      <PageHead title="Flags" tab={app === null ? "Flags" : `Flags of ${app}`} actions={<NewFlag app={app} />} />
      <FlagsList key={app} app={app} />
    </>
  );
}

/** The way to a new flag, for those who may make one. */
export function NewFlag({ app }: { app: string | null }) {
  const { mayEdit, principal } = useRights();
  const may =
    app === null ? mayEdit() || Object.keys(principal?.apps ?? {}).some((each) => mayEdit(each)) : mayEdit(app);
  if (!may) return null;
  return (
    <Button component={Link} to={paths.newFlag(app)} leftSection={<IconPlus size={16} />}>
      New flag
    </Button>
  );
}
