import { Button, Group, Stack, Switch, Text } from "@mantine/core";
import { useId } from "react";
import { useRights } from "@/api/session";
import type { Flag } from "@/features/flags/api";
import styles from "../flag.module.css";
import { ofEndingTheHold, ofReset, ofToggling, whatIsTrue } from "./consequences";
import { useCallsPerMinute } from "./useCalls";
import { useSwitching } from "./useSwitching";

/** What the team wants and what is true, the switch between, and in words what pressing it will do. */
export function FlagSwitch({ flag }: { flag: Flag }) {
  const { mayEdit } = useRights();
  const callsPerMinute = useCallsPerMinute(flag);
  const may = mayEdit(flag.app);
  const isTrue = whatIsTrue(flag);
  const archived = flag.archived_at !== null;
  const words = archived
    ? "Restore it under Settings to turn it on or off."
    : may
      ? ofToggling(flag, callsPerMinute)
      : "You can see this flag but not change it: that takes the editor role.";
  return (
    <section className={styles.switch} aria-label="The switch">
      <Group gap="sm" wrap="wrap" align="center">
        <TheSwitch flag={flag} size="lg" describedBy="what-the-switch-does" />
        <Text fw={600} aria-hidden>
          {flag.active ? "On" : "Off"}
        </Text>
        {isTrue !== null && <Text>{isTrue}</Text>}
      </Group>
      <Stack gap="xs" mt={8}>
        <StateAction flag={flag} explained />
        <Text id="what-the-switch-does" size="xs" c="var(--quiet)">
          {words}
        </Text>
      </Stack>
    </section>
  );
}

/** The switch itself, for the head and for its compact form. */
export function TheSwitch({ flag, size, describedBy }: { flag: Flag; size: "md" | "lg"; describedBy?: string }) {
  const { mayEdit } = useRights();
  const { toggle, busy } = useSwitching(flag);
  return (
    <Switch
      size={size}
      checked={flag.active}
      disabled={!mayEdit(flag.app) || flag.archived_at !== null}
      aria-label={`${flag.key} is ${flag.active ? "on" : "off"}`}
      aria-describedby={describedBy}
      aria-busy={busy}
      onChange={() => !busy && void toggle()}
      className={styles.target}
    />
  );
}

/** The one action that the state calls for: let users back, or end the hold. Nothing where it calls for none. */
export function StateAction({ flag, explained = false }: { flag: Flag; explained?: boolean }) {
  const { mayEdit } = useRights();
  const { letBack, endTheHold, busy } = useSwitching(flag);
  // Several flags may stand on one page.
  const wordsId = useId();
  const { settled } = flag.state;
  const action =
    settled === "open" || settled === "recovering"
      ? {
          name: settled === "open" ? "Let users back now" : "Let all users back now",
          run: letBack,
          words: ofReset(flag),
        }
      : settled === "held_off"
        ? { name: "End the hold", run: endTheHold, words: ofEndingTheHold(flag) }
        : null;
  if (action === null || !mayEdit(flag.app) || flag.archived_at !== null) return null;
  return (
    <Group gap="sm" wrap="wrap" align="center">
      <Button
        size={explained ? "sm" : "xs"}
        className={styles.target}
        loading={busy}
        onClick={() => void action.run()}
        aria-describedby={explained ? wordsId : undefined}
      >
        {action.name}
      </Button>
      {explained && (
        <Text id={wordsId} size="xs" c="var(--quiet)" flex="1 1 180px">
          {action.words}
        </Text>
      )}
    </Group>
  );
}
