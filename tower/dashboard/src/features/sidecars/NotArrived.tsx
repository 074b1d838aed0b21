import { Card, List, Text, Title } from "@mantine/core";
import { Link } from "react-router";
import { Ago } from "@/components/Moment";
import { count } from "@/components/numbers";
import { paths } from "@/shell/paths";
import type { Flag } from "./api";

const WHY = { silent: "silent", behind: "behind", refused: "cannot read it" } as const;
const FLAGS_SHOWN = 20;
const SIDECARS_SHOWN = 5;

/** Which changes of flags have not arrived, and where. */
export function NotArrived({ flags }: { flags: readonly Flag[] }) {
  if (flags.length === 0) return null;
  return (
    <Card withBorder p="md" mb="md" bg="var(--surface)">
      <Title order={2} mb={4}>
        Changes that have not arrived everywhere
      </Title>
      <Text c="var(--quiet)" mb="xs">
        A sidecar that a change has not reached goes on with what it has.
      </Text>
      <List spacing={4}>
        {flags.slice(0, FLAGS_SHOWN).map(({ app, key, state: { arrived } }) => (
          <List.Item key={`${app}.${key}`}>
            <Link to={paths.flag(app, key)}>
              {app}.{key}
            </Link>
            , changed <Ago at={arrived.changed_at} />: in {count(arrived.arrived)} of {count(arrived.of)}, not in{" "}
            {arrived.missing
              .slice(0, SIDECARS_SHOWN)
              .map(({ instance, why }) => `${instance} (${WHY[why]})`)
              .join(", ")}
            {arrived.missing.length > SIDECARS_SHOWN && ` and ${count(arrived.missing.length - SIDECARS_SHOWN)} more`}
          </List.Item>
        ))}
      </List>
      {flags.length > FLAGS_SHOWN && <Text mt="xs">And {count(flags.length - FLAGS_SHOWN)} more flags.</Text>}
    </Card>
  );
}
