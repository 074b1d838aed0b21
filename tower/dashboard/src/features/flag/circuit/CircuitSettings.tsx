import { Collapse, Stack, Switch, Text, Title, UnstyledButton } from "@mantine/core";
import { IconChevronDown, IconChevronRight } from "@tabler/icons-react";
import { useState } from "react";
import type { Circuit } from "../editing/draft";
import { problemAt, problemIn } from "../editing/problems";
import type { Form } from "../editing/useEditing";
import graph from "./graph/graph.module.css";
import { settingsInWords } from "./inWords";
import { GuardSettings } from "./settings/GuardSettings";
import { JudgingSettings } from "./settings/JudgingSettings";
import { USUAL } from "./settings/limits";
import { OpeningSettings } from "./settings/OpeningSettings";
import { RecoverySettings } from "./settings/RecoverySettings";
import styles from "./settings/settings.module.css";

/** What the groups of settings get. */
export interface Settings {
  circuit: Circuit;
  /** Change settings of the draft's circuit. */
  set: (fields: Partial<Circuit>) => void;
  readOnly: boolean;
  /** What Tower refused of one setting: `recovery.delay_ms`. */
  problem: (name: string) => string | null;
}

/**
 * All settings of a flag's circuit, with what they mean in words above. They are part of the flag's draft.
 * `bare` leaves out the heading and whether there is a circuit: the form of a new flag says that itself.
 */
export function CircuitSettings({ editing, bare = false }: { editing: Form; bare?: boolean }) {
  const { draft, change, readOnly } = editing;
  const { circuit } = draft;
  const [before] = useState(circuit);
  const [more, setMore] = useState(false);
  const hidden = ["min_calls", "confidence", "window_ms", "long_window_ms"].some((name) =>
    problemIn(editing, `circuit.${name}`),
  );
  const turn = (on: boolean) => change({ circuit: on ? (before ?? { ...USUAL, reset_generation: 0 }) : null });
  const problem = (name: string) => problemAt(editing, `circuit.${name}`);
  const settings: Settings | null =
    circuit === null
      ? null
      : { circuit, set: (fields) => change({ circuit: { ...circuit, ...fields } }), readOnly, problem };
  return (
    <section aria-label="Settings of the circuit">
      {!bare && (
        <>
          <Title order={2}>Settings</Title>
          <Stack gap="sm" mt="xs">
            <Text className={styles.inWords} aria-live="polite">
              {settingsInWords(circuit)}
            </Text>
            <Switch
              label="This flag has a circuit"
              description="Without one, calls are counted and nothing is taken from users."
              checked={circuit !== null}
              disabled={readOnly}
              onChange={(event) => turn(event.currentTarget.checked)}
            />
          </Stack>
        </>
      )}
      {settings !== null && (
        <>
          <OpeningSettings settings={settings} />
          <RecoverySettings settings={settings} />
          <GuardSettings settings={settings} />
          <div className={styles.group}>
            <UnstyledButton className={graph.fold} aria-expanded={more || hidden} onClick={() => setMore(!more)}>
              {more || hidden ? <IconChevronDown size={14} aria-hidden /> : <IconChevronRight size={14} aria-hidden />}
              Advanced: windows, confidence, fewest calls
            </UnstyledButton>
            <Collapse expanded={more || hidden} transitionDuration={0}>
              {(more || hidden) && <JudgingSettings settings={settings} />}
            </Collapse>
          </div>
        </>
      )}
    </section>
  );
}
