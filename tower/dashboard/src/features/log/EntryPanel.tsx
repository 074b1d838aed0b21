import { Anchor, Group, Stack, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { Link } from "react-router";
import { Copy } from "@/components/Copy";
import { Moment } from "@/components/Moment";
import { QueryView } from "@/components/views";
import { paths } from "@/shell/paths";
import { type Entry, entryQuery } from "./api";
import { Difference } from "./Difference";
import { linesOf, linesOfState, valueInWords } from "./lines";
import styles from "./log.module.css";
import { RollBack } from "./RollBack";

/** All that the log knows of an entry. */
export function EntryPanel({ entry, single = false }: { entry: Entry; single?: boolean }) {
  const { subject } = entry;
  return (
    <Stack gap="sm" align="flex-start">
      {entry.changes.length > 0 ? (
        <Full>
          <Difference lines={linesOf(entry.changes, subject.kind)} />
        </Full>
      ) : (
        <WholeState entry={entry} />
      )}
      <Facts entry={entry} />
      <Group gap="xs">
        {subject.kind === "flag" && subject.app !== null && subject.key !== null && entry.action !== "flag.deleted" && (
          <RollBack entry={entry} app={subject.app} flag={subject.key} />
        )}
        {!single && (
          <Anchor component={Link} to={paths.logEntry(entry.id)} size="sm">
            Link to this entry
          </Anchor>
        )}
        <Group gap={4}>
          <Text size="sm" c="var(--quiet)">
            As JSON
          </Text>
          <Copy value={JSON.stringify(entry, null, 2)} what="the entry as JSON" />
        </Group>
      </Group>
    </Stack>
  );
}

function Full({ children }: { children: ReactNode }) {
  return <div style={{ width: "100%" }}>{children}</div>;
}

/** What was made, or what there was before it was deleted. */
function WholeState({ entry }: { entry: Entry }) {
  const whole = useQuery(entryQuery(String(entry.id)));
  return (
    <Full>
      <QueryView query={whole}>
        {({ before, after, subject }) => {
          const state = after ?? before;
          const unchanged = after && before;
          if (!state || unchanged) {
            return (
              <Text size="sm" c="var(--quiet)">
                This entry has no difference: nothing that is kept was changed by it.
              </Text>
            );
          }
          return <Difference lines={linesOfState(state, subject.kind, Boolean(after))} />;
        }}
      </QueryView>
    </Full>
  );
}

/** The exact time, and what else is kept; the address is there for admins only. */
function Facts({ entry }: { entry: Entry }) {
  const details = Object.entries(entry.details).filter(([name]) => name !== "event_at_ms");
  return (
    <dl className={styles.facts}>
      <dt>When</dt>
      <dd>
        <Moment at={entry.at} />
      </dd>
      {entry.address !== null && (
        <>
          <dt>From the address</dt>
          <dd>{entry.address}</dd>
        </>
      )}
      {details.map(([name, value]) => (
        <Detail key={name} name={name} value={value} />
      ))}
      <dt>Entry</dt>
      <dd>{entry.id}</dd>
    </dl>
  );
}

function Detail({ name, value }: { name: string; value: unknown }) {
  const words = name.replaceAll("_", " ");
  return (
    <>
      <dt>{words.charAt(0).toUpperCase() + words.slice(1)}</dt>
      <dd style={{ whiteSpace: "pre-wrap" }}>{valueInWords([name], value)}</dd>
    </>
  );
}
