import { Anchor, UnstyledButton } from "@mantine/core";
import { IconChevronRight } from "@tabler/icons-react";
import { memo, useId, useState } from "react";
import { Link } from "react-router";
import { Ago } from "@/components/Moment";
import { paths } from "@/shell/paths";
import type { Entry } from "./api";
import { EntryPanel } from "./EntryPanel";
import { signOf } from "./icons";
import styles from "./log.module.css";

/** An entry of a timeline: its sentence, who and when, and one click away all of it. */
export const EntryItem = memo(function EntryItem({
  entry,
  byActor,
}: {
  entry: Entry;
  byActor?: (actor: string) => string;
}) {
  const [opened, setOpened] = useState(false);
  const panel = useId();
  const { icon: Icon, word, tone } = signOf(entry);
  return (
    <li className={`${styles.entry} ${opened ? styles.open : ""}`} data-entry={entry.id}>
      <div className={styles.head}>
        <span className={`${styles.icon} ${tone ?? ""}`} role="img" aria-label={word} title={word}>
          <Icon size={16} aria-hidden />
        </span>
        <UnstyledButton
          className={styles.sentence}
          aria-expanded={opened}
          aria-controls={panel}
          onClick={() => setOpened(!opened)}
        >
          {entry.sentence}
        </UnstyledButton>
        <span className={styles.chevron} aria-hidden>
          <IconChevronRight size={16} />
        </span>
        <About entry={entry} byActor={byActor} />
      </div>
      {opened && (
        <section id={panel} className={styles.panel} aria-label="What changed">
          <EntryPanel entry={entry} />
        </section>
      )}
    </li>
  );
});

/** Why, when, who and about what. */
export function About({ entry, byActor }: { entry: Entry; byActor?: (actor: string) => string }) {
  const { subject, actor, reason } = entry;
  return (
    <div className={styles.about}>
      {reason !== null && <span className={styles.reason}>“{reason}”</span>}
      <Ago at={entry.at} />
      {byActor === undefined ? (
        <span>{actor.name}</span>
      ) : (
        <Anchor component={Link} to={byActor(actor.name)} inherit title={`Only what ${actor.name} did`}>
          {actor.name}
        </Anchor>
      )}
      <Subject subject={subject} />
      {entry.version !== null && <span>version {entry.version}</span>}
    </div>
  );
}

/** Links to what an entry is about: its app, and the flag or segment. */
function Subject({ subject: { kind, app, key } }: { subject: Entry["subject"] }) {
  if (app === null) return null;
  const to = key === null ? null : (PAGES[kind]?.(app, key) ?? null);
  return (
    <span>
      <Anchor component={Link} to={paths.app(app)} inherit>
        {app}
      </Anchor>
      {to !== null && (
        <>
          {" / "}
          <Anchor component={Link} to={to} inherit>
            {key}
          </Anchor>
        </>
      )}
    </span>
  );
}

const PAGES: Readonly<Record<string, (app: string, key: string) => string>> = {
  flag: paths.flag,
  circuit: paths.circuit,
  segment: paths.segment,
};
