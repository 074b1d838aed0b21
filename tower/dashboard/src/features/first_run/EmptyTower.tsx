import { Button } from "@mantine/core";
import { Link } from "react-router";
import { useRights } from "@/api/session";
import { EmptyState } from "@/components/views";
import { paths } from "@/shell/paths";

/** What the overview shows while there is no app: the way to a first flag, which nobody has to go. */
export function EmptyTower() {
  const { mayAdmin } = useRights();
  if (!mayAdmin()) {
    return (
      <EmptyState title="There is nothing here yet">
        This Tower has no app, or none that you may see. An admin can make one, or give you a role in one.
      </EmptyState>
    );
  }
  return (
    <EmptyState
      title="This Tower has no app yet"
      action={
        <>
          <Button component={Link} to={paths.welcome} mt="xs">
            A first flag, in five steps
          </Button>
          <Button component={Link} to={paths.newApp} variant="subtle">
            Only make an app
          </Button>
        </>
      }
    >
      In five steps, with commands to paste, a first flag is answered by a first sidecar. It takes some minutes, and you
      can leave at any time.
    </EmptyState>
  );
}
