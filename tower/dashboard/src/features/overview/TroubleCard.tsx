import { Button, Text } from "@mantine/core";
import { notifications } from "@mantine/notifications";
import { useQuery } from "@tanstack/react-query";
import { Link } from "react-router";
import { sentenceOf } from "@/api/problem";
import { useRights } from "@/api/session";
import { Sentence } from "@/components/Sentence";
import { StateBadge } from "@/components/StateBadge";
import { flagQuery, useFlagChanges } from "@/features/flags/api";
import { paths } from "@/shell/paths";
import { GivenUp } from "@/shell/reason";
import styles from "./attention.module.css";
import type { FlagInTrouble } from "./status";

/** A flag whose users do not get what was asked for: what is true, why, what comes next, and one thing to do. */
export function TroubleCard({ trouble, withApp }: { trouble: FlagInTrouble; withApp: boolean }) {
  const { app, key, name } = trouble;
  // The live connection puts the flag there each second; it is not read for this card.
  const { data: flag } = useQuery({ ...flagQuery(app, key), enabled: false });
  const state = flag?.state ?? trouble.state;
  return (
    <article className={`${styles.card} ${styles[state.settled] ?? ""}`} aria-label={`${key} in ${app}`}>
      <div className={styles.head}>
        <h3 className={styles.title}>
          <Link to={paths.circuit(app, key)}>{name}</Link>
          {withApp && <span> in {app}</span>}
        </h3>
        <StateBadge state={state} />
      </div>
      <Sentence state={state} className={styles.sentence} />
      <Action trouble={trouble} held={state.settled === "held_off"} />
    </article>
  );
}

function Action({ trouble, held }: { trouble: FlagInTrouble; held: boolean }) {
  const { app, name } = trouble;
  const { mayEdit } = useRights();
  const { change, reset } = useFlagChanges(trouble);
  if (!mayEdit(app)) return null;

  const doing = async (work: () => Promise<unknown>) => {
    try {
      await work();
    } catch (error) {
      if (error instanceof GivenUp) return;
      notifications.show({ color: "gray", title: `${name} was not changed`, message: sentenceOf(error) });
    }
  };
  const hold = (forced_open: boolean) => change.mutateAsync({ body: { circuit: { forced_open } } });
  const letGo = async () => {
    await hold(false);
    const id = `held-${app}.${trouble.key}`;
    notifications.show({
      id,
      color: "gray",
      withBorder: true,
      autoClose: 10_000,
      message: (
        <>
          <Text mb="xs">{name} is no longer held off.</Text>
          <Button
            size="compact-sm"
            variant="default"
            onClick={() => {
              notifications.hide(id);
              void doing(() => hold(true));
            }}
          >
            Undo
          </Button>
        </>
      ),
    });
  };
  return (
    <div className={styles.action}>
      {held ? (
        <>
          <Button size="compact-md" variant="default" loading={change.isPending} onClick={() => void doing(letGo)}>
            Stop holding it off
          </Button>
          <p>Everyone in the rollout gets it again at once.</p>
        </>
      ) : (
        <>
          <Button
            size="compact-md"
            variant="default"
            loading={reset.isPending}
            onClick={() => void doing(() => reset.mutateAsync())}
          >
            Let users back now
          </Button>
          <p>Closes the circuit: everyone in the rollout gets it again at once.</p>
        </>
      )}
    </div>
  );
}
