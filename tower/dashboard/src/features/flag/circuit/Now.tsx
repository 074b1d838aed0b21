import { Button, Stack } from "@mantine/core";
import { notifications } from "@mantine/notifications";
import { IconHandStop } from "@tabler/icons-react";
import { ProblemError } from "@/api/problem";
import { exactSpan } from "@/components/numbers";
import { Sentence } from "@/components/Sentence";
import { StateBadge } from "@/components/StateBadge";
import { type Flag, useFlagChanges } from "@/features/flags/api";
import { GivenUp } from "@/shell/reason";
import styles from "./circuit.module.css";
import { delayMs } from "./ramp";

/** What the circuit is, why, and what can be done about it now. */
export function Now({ flag, readOnly }: { flag: Flag; readOnly: boolean }) {
  const { circuit } = flag.state;
  const recovery = flag.circuit?.recovery ?? null;
  return (
    <Stack gap="sm">
      <div>
        <StateBadge state={flag.state} />
        <Sentence state={flag.state} mt={8} />
      </div>
      {flag.circuit !== null && circuit !== null && (
        <dl className={styles.facts}>
          <div>
            <dt>Trips in a row</dt>
            <dd>{circuit.trips}</dd>
          </div>
          <div>
            <dt>Next time it stays open</dt>
            <dd>{recovery === null ? "until a person resets it" : exactSpan(delayMs(recovery, circuit.trips + 1))}</dd>
          </div>
        </dl>
      )}
      {flag.circuit !== null && !readOnly && <Actions flag={flag} />}
    </Stack>
  );
}

function Actions({ flag }: { flag: Flag }) {
  const { change, reset } = useFlagChanges(flag);
  const circuit = flag.state.circuit;
  const held = flag.circuit?.forced_open === true;
  const kept = circuit !== null && circuit.state !== "closed";
  const hold = (forced_open: boolean) => change.mutateAsync({ body: { circuit: { forced_open } } });
  const busy = change.isPending || reset.isPending;
  return (
    <div className={styles.actions}>
      {kept && !held && (
        <div className={styles.action}>
          <Button
            disabled={busy}
            onClick={() =>
              void told(reset.mutateAsync(), "Users are back: the circuit is closed, and its trips are forgotten.")
            }
          >
            Let users back now
          </Button>
          <span className={styles.words}>
            Everyone in the rollout gets it at once, without steps. It opens again when it still fails.
          </span>
        </div>
      )}
      {held ? (
        <div className={styles.action}>
          <Button
            disabled={busy}
            onClick={() =>
              void told(hold(false), "The hold has ended.", () => void told(hold(true), "Held off again."))
            }
          >
            End the hold
          </Button>
          <span className={styles.words}>
            {kept
              ? "The circuit goes on where it was when the hold began."
              : "Everyone in the rollout gets it again, and the circuit is judged."}
          </span>
        </div>
      ) : (
        <div className={styles.action}>
          <Button
            variant="default"
            leftSection={<IconHandStop size={16} aria-hidden />}
            disabled={busy}
            onClick={() =>
              void told(
                hold(true),
                "Held off: everyone gets the fallback.",
                () => void told(hold(false), "The hold has ended."),
              )
            }
          >
            Hold off
          </Button>
          <span className={styles.words}>
            Sends everyone to the fallback until you end it. The circuit is not judged meanwhile.
          </span>
        </div>
      )}
    </div>
  );
}

/** Say what became of a change: done, with a way back where there is one, or why not. */
async function told(change: Promise<unknown>, done: string, undo?: () => void): Promise<void> {
  try {
    await change;
  } catch (error) {
    if (error instanceof GivenUp) return;
    if (!(error instanceof ProblemError)) throw error;
    notifications.show({ message: error.message, color: "gray", autoClose: 10_000 });
    return;
  }
  const id = `circuit-${done}`;
  const back = () => {
    notifications.hide(id);
    undo?.();
  };
  notifications.show({
    id,
    color: "gray",
    autoClose: 10_000,
    message: (
      <>
        {done}{" "}
        {undo !== undefined && (
          <Button size="compact-sm" variant="subtle" onClick={back}>
            Undo
          </Button>
        )}
      </>
    ),
  });
}
