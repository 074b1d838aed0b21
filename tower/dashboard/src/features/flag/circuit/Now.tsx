import { Button, Stack, Title } from "@mantine/core";
import { IconHandStop } from "@tabler/icons-react";
import { Moment } from "@/components/Moment";
import { exactSpan } from "@/components/numbers";
import { StateBadge } from "@/components/StateBadge";
import type { Flag } from "@/features/flags/api";
import { StateAction } from "../switch/FlagSwitch";
import { useSwitching } from "../switch/useSwitching";
import styles from "./circuit.module.css";
import { delayMs } from "./ramp";

/** What the circuit is, why it last opened, and what can be done about it now. */
export function Now({ flag, readOnly }: { flag: Flag; readOnly: boolean }) {
  const { circuit } = flag.state;
  const recovery = flag.circuit?.recovery ?? null;
  const reason = circuit?.reason ?? circuit?.last_opening?.reason ?? null;
  const openedAt = circuit?.last_opening?.at ?? null;
  return (
    <Stack gap="sm" align="flex-start">
      <Title order={2}>State now</Title>
      <StateBadge state={flag.state} />
      <dl className={styles.facts}>
        <div>
          <dt>Last opened</dt>
          <dd>
            {openedAt === null ? "never, as far as is known" : <Moment at={openedAt} />}
            {reason !== null && `: ${reason.sentence}`}
          </dd>
        </div>
        <div>
          <dt>Trips in a row</dt>
          <dd>{circuit === null ? "–" : circuit.trips}</dd>
        </div>
        <div>
          <dt>Next time it stays open</dt>
          <dd>
            {recovery === null ? "until a person resets it" : exactSpan(delayMs(recovery, (circuit?.trips ?? 0) + 1))}
          </dd>
        </div>
      </dl>
      {!readOnly && (
        <>
          <StateAction flag={flag} explained />
          {flag.circuit?.forced_open === false && <HoldOff flag={flag} />}
        </>
      )}
    </Stack>
  );
}

/** Nobody gets it until somebody says otherwise: not a trip, and no verdict. */
function HoldOff({ flag }: { flag: Flag }) {
  const { holdOff, busy } = useSwitching(flag);
  return (
    <div className={styles.action}>
      <Button
        variant="default"
        leftSection={<IconHandStop size={16} aria-hidden />}
        loading={busy}
        onClick={() => void holdOff()}
        aria-describedby="what-the-hold-does"
      >
        Hold off
      </Button>
      <span className={styles.words} id="what-the-hold-does">
        Sends everyone to the fallback until you end it. The circuit is not judged meanwhile.
      </span>
    </div>
  );
}
