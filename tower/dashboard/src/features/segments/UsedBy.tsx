import { Anchor, Text } from "@mantine/core";
import { Fragment } from "react";
import { Link } from "react-router";
import { paths } from "@/shell/paths";

const NAMED = 5;

/** Which flags use a segment, with links. */
export function UsedBy({
  app,
  flags,
  complete,
}: {
  app: string;
  flags: readonly { key: string; archived_at: string | null }[];
  /** Whether all flags of the app were read. */
  complete: boolean;
}) {
  if (flags.length === 0) {
    return (
      <Text span size="sm" c="var(--quiet)">
        {complete ? "No flag uses it" : "Looking for flags that use it …"}
      </Text>
    );
  }
  return (
    <>
      Used by{" "}
      {flags.slice(0, NAMED).map(({ key, archived_at }, place) => (
        <Fragment key={key}>
          {place > 0 && ", "}
          <Anchor component={Link} to={paths.flag(app, key)} inherit>
            {key}
          </Anchor>
          {archived_at !== null && " (archived)"}
        </Fragment>
      ))}
      {flags.length > NAMED && ` and ${flags.length - NAMED} more`}
    </>
  );
}
