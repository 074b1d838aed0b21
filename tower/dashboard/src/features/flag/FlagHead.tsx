import { Alert, Badge, Group, Stack, Text, Title } from "@mantine/core";
import { useIntersection } from "@mantine/hooks";
import { IconAlertTriangle, IconArchive, IconHourglass } from "@tabler/icons-react";
import { useEffect } from "react";
import { CopyText } from "@/components/Copy";
import { Ago } from "@/components/Moment";
import { Sentence } from "@/components/Sentence";
import { StateBadge } from "@/components/StateBadge";
import type { Flag } from "@/features/flags/api";
import styles from "./flag.module.css";
import { FlagSwitch, StateAction, TheSwitch } from "./switch/FlagSwitch";

/** What the flag is, what is true of it and why, what happens next, and what can be done; a line of it stays in sight. */
export function FlagHead({ flag }: { flag: Flag }) {
  const { ref, entry } = useIntersection({ rootMargin: "-56px 0px 0px 0px" });
  useEffect(() => {
    document.title = `${flag.name} · Tailslide`;
  }, [flag.name]);
  return (
    <>
      <header className={styles.head} ref={ref}>
        <Group gap="sm" className={styles.title}>
          <Title order={1} style={{ overflowWrap: "anywhere" }}>
            {flag.name}
          </Title>
          <StateBadge state={flag.state} />
        </Group>
        <Sentence state={flag.state} className={styles.sentence} />
        {flag.warnings.length > 0 && (
          <Stack gap={4} className={styles.warnings}>
            {flag.warnings.map((warning) => (
              <Alert key={warning} color="gray" variant="outline" p="xs" icon={<IconAlertTriangle size={16} />}>
                {warning}
              </Alert>
            ))}
          </Stack>
        )}
        <FlagSwitch flag={flag} />
        <About flag={flag} />
      </header>
      <Compact flag={flag} shown={entry !== null && !entry.isIntersecting} />
    </>
  );
}

function About({ flag }: { flag: Flag }) {
  return (
    <Group gap="xs" className={styles.about}>
      <CopyText value={flag.key} what="the key" />
      {flag.archived_at !== null && (
        <Badge variant="default" tt="none" leftSection={<IconArchive size={12} />}>
          Archived <Ago at={flag.archived_at} />
        </Badge>
      )}
      {flag.lifetime === "temporary" && (
        <Badge variant="default" tt="none" leftSection={<IconHourglass size={12} />}>
          Temporary{flag.expected_end !== null && `, until ${flag.expected_end}`}
        </Badge>
      )}
      {flag.tags.map((tag) => (
        <Badge key={tag} variant="light" color="gray" tt="none">
          {tag}
        </Badge>
      ))}
      <Text span size="xs" c="var(--quiet)">
        {flag.owner !== null && <>{flag.owner} · </>}changed <Ago at={flag.updated_at} />
      </Text>
      {flag.description !== "" && (
        <Text size="sm" c="var(--quiet)" className={styles.description}>
          {flag.description}
        </Text>
      )}
    </Group>
  );
}

/** The head in one line, once the head itself is scrolled away. */
function Compact({ flag, shown }: { flag: Flag; shown: boolean }) {
  if (!shown) return null;
  return (
    <div className={styles.anchor}>
      <section className={styles.compact} aria-label="The flag in short">
        <Text fw={600} truncate className={styles.compactName}>
          {flag.name}
        </Text>
        <StateBadge state={flag.state} />
        <Sentence state={flag.state} main size="xs" c="var(--quiet)" className={styles.compactSentence} />
        <div className={styles.compactActions}>
          <div className={styles.compactAction}>
            <StateAction flag={flag} />
          </div>
          <TheSwitch flag={flag} size="md" />
        </div>
      </section>
    </div>
  );
}
