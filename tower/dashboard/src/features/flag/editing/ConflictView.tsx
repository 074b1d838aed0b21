import { Button, Group, Modal, Stack, Text } from "@mantine/core";
import { useMediaQuery } from "@mantine/hooks";
import { useState } from "react";
import { Ago } from "@/components/Moment";
import { ruleInWords } from "../targeting/rules/words";
import { changesInWords } from "./changesInWords";
import styles from "./conflict.module.css";
import { type Draft, draftOf } from "./draft";
import { type Choice, type Collision, chosen, type Merged } from "./merge";
import { nameOf, valueInWords } from "./settingNames";
import type { News } from "./useEditing";

interface Props {
  opened: boolean;
  conflict: Merged & News;
  /** Who changed the flag, and when. */
  who: string;
  when: string | undefined;
  onClose: () => void;
  onChosen: (draft: Draft) => void;
}

/** What it was, what they made of it and what you made of it, side by side; a choice only where both changed it. */
export function ConflictView({ opened, conflict, who, when, onClose, onChosen }: Props) {
  const [choices, setChoices] = useState<Record<string, Choice>>({});
  const narrow = useMediaQuery("(max-width: 40em)");
  const { collisions } = conflict;
  const left = collisions.filter(({ path }) => choices[path.join(".")] === undefined).length;
  const before = draftOf(conflict.from);
  const merge = chosen(conflict, allTheirs(collisions));
  // What is left of my changes when all that is contested is theirs, and the other way round.
  const onlyMine = changesInWords(draftOf(conflict.to), merge);
  const onlyTheirs = changesInWords(before, withoutContested(draftOf(conflict.to), collisions));
  return (
    <Modal
      opened={opened}
      onClose={onClose}
      size="xl"
      fullScreen={narrow ?? false}
      title={`${who} changed this flag while you were editing`}
    >
      <Stack gap="md">
        <Text c="var(--quiet)">
          {when !== undefined && (
            <>
              <Ago at={when} />.{" "}
            </>
          )}
          Choose what counts where you both changed the same. Nothing is saved by it.
        </Text>
        <div className={styles.table}>
          {collisions.map((collision) => {
            const place = collision.path.join(".");
            const choose = (choice: Choice) => setChoices((now) => ({ ...now, [place]: choice }));
            return (
              <fieldset key={place} className={styles.row}>
                <legend className={styles.name}>{nameOf(collision.path)}</legend>
                <div className={styles.cell}>
                  <span className={styles.head}>Was</span>
                  <Value path={collision.path} value={collision.was} of={before} />
                </div>
                <Option
                  name="Theirs"
                  place={place}
                  picked={choices[place] === "theirs"}
                  onPick={() => choose("theirs")}
                  path={collision.path}
                  value={collision.theirs}
                  of={draftOf(conflict.to)}
                />
                <Option
                  name="Yours"
                  place={place}
                  picked={choices[place] === "mine"}
                  onPick={() => choose("mine")}
                  path={collision.path}
                  value={collision.mine}
                  of={conflict.draft}
                />
              </fieldset>
            );
          })}
        </div>
        {(onlyTheirs.length > 0 || onlyMine.length > 0) && (
          <Stack gap={4}>
            <Text fw={600}>What only one of you changed is kept</Text>
            {onlyTheirs.length > 0 && <Text>Theirs: {onlyTheirs.join("; ")}</Text>}
            {onlyMine.length > 0 && <Text>Yours: {onlyMine.join("; ")}</Text>}
          </Stack>
        )}
        <Group justify="flex-end" gap="xs">
          <Button variant="default" onClick={onClose}>
            Later
          </Button>
          <Button disabled={left > 0} onClick={() => onChosen(chosen(conflict, choices))}>
            {left === 0 ? "Go on with this" : `${left} left to choose`}
          </Button>
        </Group>
      </Stack>
    </Modal>
  );
}

interface Shown {
  path: readonly string[];
  value: unknown;
  /** The flag whose value it is: rules are told by its variants. */
  of: Draft;
}

interface OptionProps extends Shown {
  name: string;
  place: string;
  picked: boolean;
  onPick: () => void;
}

function Option({ name, place, picked, onPick, ...shown }: OptionProps) {
  return (
    <label className={`${styles.cell} ${styles.option}`} data-picked={picked}>
      <span className={styles.head}>
        <input type="radio" name={place} checked={picked} onChange={onPick} /> {name}
      </span>
      <Value {...shown} />
    </label>
  );
}

function Value({ path, value, of }: Shown) {
  return (
    <span className={styles.value}>
      {linesOf(path, value, of).map((line, place) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: lines have no identity besides their place
        <span key={place}>{line}</span>
      ))}
    </span>
  );
}

/** A value in lines: a rule, a variant or a prerequisite on each. */
function linesOf(path: readonly string[], value: unknown, of: Draft): string[] {
  const empty = ["none"];
  switch (path.join(".")) {
    case "rules": {
      const rules = value as Draft["rules"];
      const lines = rules.map(
        (rule, place) => `${place + 1}. ${rule.name ? `${rule.name}: ` : ""}${ruleInWords(rule, of)}`,
      );
      return lines.length === 0 ? empty : lines;
    }
    case "variants":
      return Object.entries(value as Draft["variants"]).map(([name, each]) => `${name}: ${JSON.stringify(each)}`);
    case "split":
      return (value as Draft["split"]).map(({ variant, weight }) => `${variant} ${weight}`);
    case "requires": {
      const lines = (value as Draft["requires"]).map(
        ({ flag, variants }) => `${flag}: ${variants?.join(", ") ?? "any but its off variant"}`,
      );
      return lines.length === 0 ? empty : lines;
    }
    case "circuit":
      return [value === null ? "no circuit" : "a circuit"];
    case "circuit.recovery":
    case "circuit.local_guard":
      return value === null || value === undefined
        ? empty
        : Object.entries(value).map(
            ([name, each]) => `${nameOf([...path, name])} ${valueInWords([...path, name], each)}`,
          );
    default:
      return [valueInWords(path, value)];
  }
}

/** Their flag as it would be had they left alone what both changed. */
function withoutContested(theirs: Draft, collisions: readonly Collision[]): Draft {
  const back = { draft: theirs, collisions: collisions.map((each) => ({ ...each, theirs: each.was })) };
  return chosen(back, allTheirs(collisions));
}

function allTheirs(collisions: readonly Collision[]): Record<string, Choice> {
  return Object.fromEntries(collisions.map(({ path }) => [path.join("."), "theirs"]));
}
