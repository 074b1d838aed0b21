import { ActionIcon, Button, Group, Menu, Stack, Text } from "@mantine/core";
import {
  IconArrowDown,
  IconArrowUp,
  IconCopy,
  IconDots,
  IconGripVertical,
  IconPencil,
  IconPlus,
  IconTrash,
} from "@tabler/icons-react";
import { type DragEvent, type KeyboardEvent, useState } from "react";
import type { Draft } from "@/features/flag/editing/draft";
import { Decides } from "../Line";
import styles from "../targeting.module.css";
import type { Known } from "./ConditionEditor";
import { withMoved } from "./order";
import { RuleEditor } from "./RuleEditor";
import { useRowIds } from "./row_ids";
import { type Rule, ruleInWords } from "./words";

type Around = Pick<Draft, "split" | "off_variant" | "variants">;

/** All rules in their order, each as a sentence until it is edited. */
export function Rules({
  rules,
  change,
  around,
  known,
  readOnly,
  answers,
  decides,
  problemAt,
}: {
  rules: readonly Rule[];
  change: (rules: Rule[]) => void;
  around: Around;
  known: Known;
  readOnly: boolean;
  /** How often a rule decided, in words. */
  answers: (rule: Rule) => string;
  /** Which rule decides for whom the tester asks. */
  decides: { place: number; who: string } | null;
  problemAt: (field: string) => string | null;
}) {
  const ids = useRowIds(rules.length);
  const [open, setOpen] = useState<number | null>(null);
  const [said, setSaid] = useState("");
  const [dragged, setDragged] = useState<number | null>(null);
  const [over, setOver] = useState<number | null>(null);
  // What was refused in a folded rule is shown where it is.
  const refused = rules.findIndex((_, place) => problemAt(String(place)) !== null);
  const [opened, setOpened] = useState(-1);
  if (refused !== opened) {
    setOpened(refused);
    if (refused !== -1) setOpen(ids.at(refused));
  }

  const move = (from: number, to: number) => {
    if (to < 0 || to >= rules.length || from === to) return;
    ids.moved(from, to);
    change(withMoved(rules, from, to));
    setSaid(`Rule ${from + 1} is now rule ${to + 1} of ${rules.length}.`);
  };
  const insert = (place: number, rule: Rule) => {
    setOpen(ids.inserted(place));
    change([...rules.slice(0, place), rule, ...rules.slice(place)]);
  };
  const remove = (place: number) => {
    ids.removed(place);
    change(rules.filter((_, index) => index !== place));
    setSaid(`Rule ${place + 1} removed.`);
  };
  const byKeys = (place: number) => (event: KeyboardEvent) => {
    const step = { ArrowUp: -1, ArrowDown: 1 }[event.key];
    if (!event.altKey || step === undefined || readOnly) return;
    event.preventDefault();
    move(place, place + step);
  };
  const dragging = (place: number) => ({
    onDragOver: (event: DragEvent) => {
      if (dragged === null) return;
      event.preventDefault();
      setOver(place);
    },
    onDrop: (event: DragEvent) => {
      event.preventDefault();
      if (dragged !== null) move(dragged, place);
      setDragged(null);
      setOver(null);
    },
  });

  return (
    <Stack gap={8}>
      {rules.map((rule, place) => {
        const id = ids.at(place);
        const name = rule.name ?? String(place + 1);
        const isOpen = open === id && !readOnly;
        const side =
          over !== place || dragged === null || dragged === place ? undefined : dragged > place ? "before" : "after";
        return (
          // biome-ignore lint/a11y/useSemanticElements: a group of controls that is no part of a form's fieldset
          <div
            key={id}
            role="group"
            aria-label={`Rule ${name}`}
            className={`${styles.rule} ${decides?.place === place ? styles.ruleDecides : ""}`}
            data-decides={decides?.place === place}
            data-dragged={dragged === place || undefined}
            data-over={side}
            onKeyDown={byKeys(place)}
            {...dragging(place)}
          >
            <div className={styles.ruleHead}>
              {!readOnly && (
                <span
                  className={styles.grip}
                  draggable
                  aria-hidden
                  title="Drag to another place"
                  onDragStart={(event) => {
                    event.dataTransfer.effectAllowed = "move";
                    event.dataTransfer.setData("text/plain", name);
                    setDragged(place);
                  }}
                  onDragEnd={() => {
                    setDragged(null);
                    setOver(null);
                  }}
                >
                  <IconGripVertical size={16} />
                </span>
              )}
              <Text size="sm" fw={600} flex="0 1 auto">
                {rule.name ? `${place + 1} · ${rule.name}` : `Rule ${place + 1}`}
              </Text>
              {decides?.place === place && <Decides who={decides.who} />}
              <Text size="sm" className={styles.ruleAnswers}>
                {answers(rule)}
              </Text>
              {!readOnly && (
                <RuleMenu
                  name={name}
                  place={place}
                  of={rules.length}
                  isOpen={isOpen}
                  edit={() => setOpen(isOpen ? null : id)}
                  move={(to) => move(place, to)}
                  duplicate={() =>
                    insert(place + 1, { ...rule, name: null, when: rule.when.map((each) => ({ ...each })) })
                  }
                  remove={() => remove(place)}
                />
              )}
            </div>
            {!isOpen && (
              <Text size="sm" style={{ overflowWrap: "anywhere" }}>
                {ruleInWords(rule, around)}
              </Text>
            )}
            {isOpen && (
              <Stack gap={12} mt={8}>
                <RuleEditor
                  rule={rule}
                  place={place}
                  change={(next) => change(rules.map((each, index) => (index === place ? next : each)))}
                  around={around}
                  known={known}
                  problemAt={(field) => problemAt(`${place}.${field}`)}
                />
                <div>
                  <Button size="compact-sm" variant="default" onClick={() => setOpen(null)}>
                    Close the rule
                  </Button>
                </div>
              </Stack>
            )}
            {!isOpen && problemAt(String(place)) !== null && (
              <Text size="sm" c="var(--mantine-color-error)" role="alert">
                {problemAt(String(place))}
              </Text>
            )}
          </div>
        );
      })}
      <Text role="status" className="mantine-visually-hidden" size="xs" c="var(--quiet)" hidden={said === ""}>
        {said}
      </Text>
      {!readOnly && (
        <Group gap={12}>
          <Button
            size="compact-sm"
            variant="default"
            leftSection={<IconPlus size={14} />}
            onClick={() =>
              insert(rules.length, {
                name: null,
                when: [{ attribute: "", operator: "in", values: [] }],
                rollout: 100,
                split: null,
              })
            }
          >
            Add a rule
          </Button>
          {rules.length > 1 && (
            <Text size="xs" c="var(--quiet)">
              Alt with ↑ or ↓ moves the rule that you are in.
            </Text>
          )}
        </Group>
      )}
    </Stack>
  );
}

function RuleMenu({
  name,
  place,
  of,
  isOpen,
  edit,
  move,
  duplicate,
  remove,
}: {
  name: string;
  place: number;
  of: number;
  isOpen: boolean;
  edit: () => void;
  move: (to: number) => void;
  duplicate: () => void;
  remove: () => void;
}) {
  return (
    <Group gap={2} wrap="nowrap" className={styles.ruleMenu}>
      <ActionIcon
        variant="subtle"
        color="gray"
        size="lg"
        onClick={edit}
        aria-expanded={isOpen}
        aria-label={`Edit rule ${name}`}
      >
        <IconPencil size={16} />
      </ActionIcon>
      <Menu position="bottom-end" width={220}>
        <Menu.Target>
          <ActionIcon variant="subtle" color="gray" size="lg" aria-label={`More for rule ${name}`}>
            <IconDots size={16} />
          </ActionIcon>
        </Menu.Target>
        <Menu.Dropdown>
          <Menu.Item leftSection={<IconArrowUp size={14} />} disabled={place === 0} onClick={() => move(place - 1)}>
            Move up
          </Menu.Item>
          <Menu.Item
            leftSection={<IconArrowDown size={14} />}
            disabled={place === of - 1}
            onClick={() => move(place + 1)}
          >
            Move down
          </Menu.Item>
          <Menu.Item leftSection={<IconCopy size={14} />} onClick={duplicate}>
            Duplicate
          </Menu.Item>
          <Menu.Item leftSection={<IconTrash size={14} />} onClick={remove}>
            Remove
          </Menu.Item>
        </Menu.Dropdown>
      </Menu>
    </Group>
  );
}
