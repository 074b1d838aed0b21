import {
  ActionIcon,
  Autocomplete,
  Checkbox,
  Group,
  MultiSelect,
  NativeSelect,
  Select,
  Text,
  TextInput,
  Tooltip,
} from "@mantine/core";
import { IconTrash } from "@tabler/icons-react";
import { useEffect, useRef } from "react";
import { counted } from "@/components/numbers";
import { KeyList } from "../lists/KeyList";
import styles from "../targeting.module.css";
import {
  type Condition,
  conditionValue,
  EXAMPLES,
  OFFERED,
  OPERATORS,
  type Operator,
  TARGETING_KEY,
  takesOne,
  withOperator,
} from "./operators";
import { ValuePills } from "./ValuePills";
import { conditionInWords } from "./words";

/** What conditions may ask for, to choose from. */
export interface Known {
  attributes: readonly string[];
  /** The app's segments; null in a segment, which cannot use another. */
  segments: readonly { key: string; included: number; excluded: number; conditions: number }[] | null;
}

/** More values than these are a list rather than pills. */
const PILLS_AT_MOST = 60;

/** One condition: an attribute, what it is compared by, and with what. */
export function ConditionEditor({
  condition,
  change,
  remove,
  known,
  problemAt,
}: {
  condition: Condition;
  change: (condition: Condition) => void;
  remove: (() => void) | null;
  known: Known;
  /** What the server refused in this condition: `values`, `attribute`, … */
  problemAt: (field: string) => string | null;
}) {
  const words = OPERATORS[condition.operator];
  const attribute = useRef<HTMLInputElement>(null);
  // What was just added is written next.
  const isNew = useRef(condition.attribute === "");
  useEffect(() => {
    if (isNew.current) attribute.current?.focus();
    isNew.current = false;
  }, []);
  const offered = OFFERED.map(({ group, items }) => ({
    group,
    items: items.filter(({ value }) => value !== "in_segment" || known.segments !== null),
  }));
  return (
    <fieldset className={styles.condition} aria-label={`Condition: ${conditionInWords(condition)}`}>
      <div className={styles.attribute}>
        <Autocomplete
          ref={attribute}
          aria-label="Attribute"
          placeholder="country"
          maxLength={200}
          data={[...known.attributes]}
          value={condition.attribute ?? TARGETING_KEY}
          onChange={(attribute) => change({ ...condition, attribute })}
          error={problemAt("attribute")}
        />
      </div>
      <div className={styles.operator}>
        <Select
          aria-label="Operator"
          data={offered}
          allowDeselect={false}
          searchable
          maxDropdownHeight={360}
          comboboxProps={{ width: 240, position: "bottom-start" }}
          value={condition.operator}
          onChange={(operator) => operator !== null && change(withOperator(condition, operator as Operator))}
          error={problemAt("operator")}
        />
      </div>
      <div className={styles.values}>
        <Values condition={condition} change={change} known={known} problem={problemAt("values")} />
        {words.takes !== "presence" && (
          <Group gap={16} mt={6}>
            <Checkbox
              label="Not"
              aria-label="Not: it holds when nothing matches"
              size="xs"
              checked={condition.negate === true}
              onChange={(event) => change({ ...condition, negate: event.currentTarget.checked })}
            />
            {words.ignoresCase && (
              <Checkbox
                label="Ignore upper and lower case"
                size="xs"
                checked={condition.ignore_case === true}
                onChange={(event) => change({ ...condition, ignore_case: event.currentTarget.checked })}
              />
            )}
            {problemAt("ignore_case") !== null && <Text size="xs">{problemAt("ignore_case")}</Text>}
          </Group>
        )}
      </div>
      <Tooltip label={remove === null ? "A rule has at least one condition" : "Remove the condition"}>
        <ActionIcon
          variant="subtle"
          color="gray"
          size="lg"
          className={styles.remove}
          disabled={remove === null}
          onClick={remove ?? undefined}
          aria-label={`Remove the condition: ${conditionInWords(condition)}`}
        >
          <IconTrash size={16} />
        </ActionIcon>
      </Tooltip>
    </fieldset>
  );
}

function Values({
  condition,
  change,
  known,
  problem,
}: {
  condition: Condition;
  change: (condition: Condition) => void;
  known: Known;
  problem: string | null;
}) {
  const { operator } = condition;
  const values = condition.values ?? [];
  const takes = OPERATORS[operator].takes;
  const written = values.map((value) => (typeof value === "string" ? value : JSON.stringify(value)));
  // Values that were there keep their kind: a number of JSON stays one.
  const take = (next: string[]) => {
    const before = new Map(values.map((value, place) => [written[place], value]));
    change({ ...condition, values: next.map((value) => before.get(value) ?? conditionValue(value, operator)) });
  };
  if (takes === "presence") {
    return (
      <NativeSelect
        aria-label="Known or missing"
        data={[
          { value: "true", label: "is known" },
          { value: "false", label: "is missing" },
        ]}
        value={String((values[0] !== false) !== (condition.negate === true))}
        onChange={(event) => change({ ...condition, negate: false, values: [event.currentTarget.value === "true"] })}
        error={problem}
      />
    );
  }
  if (takes === "segments") {
    const segments = known.segments ?? [];
    const missing = written.filter((key) => !segments.some((each) => each.key === key));
    return (
      <MultiSelect
        aria-label="Segments"
        placeholder={
          written.length === 0 ? (segments.length === 0 ? "The app has no segments yet" : "Choose segments") : undefined
        }
        data={[...segments.map(({ key }) => key), ...missing]}
        searchable
        value={written}
        onChange={take}
        renderOption={({ option }) => {
          const found = segments.find(({ key }) => key === option.value);
          return (
            <div>
              <Text size="sm">{option.label}</Text>
              <Text size="xs" c="var(--quiet)">
                {found === undefined ? "There is no such segment" : sizeInWords(found)}
              </Text>
            </div>
          );
        }}
        error={problem}
      />
    );
  }
  if (takesOne(operator)) {
    return (
      <TextInput
        aria-label="Value"
        placeholder={EXAMPLES[takes]}
        value={written[0] ?? ""}
        onChange={(event) => {
          const text = event.currentTarget.value;
          change({ ...condition, values: text === "" ? [] : [numberWhenDone(text, operator)] });
        }}
        error={problem}
      />
    );
  }
  if (values.length > PILLS_AT_MOST) {
    return (
      <KeyList
        name="values of the condition"
        noun="value"
        keys={written}
        change={take}
        readOnly={false}
        problem={problem}
      />
    );
  }
  return (
    <ValuePills
      label="Values"
      values={written}
      change={take}
      divided={takes === "texts" || takes === "networks"}
      example={EXAMPLES[takes]}
      problem={problem}
    />
  );
}

/** While `1.` or `1.50` is written it stays a text, so that the field does not write something else. */
function numberWhenDone(text: string, operator: Operator): string | number {
  const value = conditionValue(text, operator);
  return String(value) === text ? value : text;
}

/** `120 listed, 3 excluded, 1 condition` */
export function sizeInWords({
  included,
  excluded,
  conditions,
}: {
  included: number;
  excluded: number;
  conditions: number;
}): string {
  const parts = [`${counted(included, "user")} listed`];
  if (excluded > 0) parts.push(`${counted(excluded, "user")} excluded`);
  if (conditions > 0) parts.push(counted(conditions, "condition"));
  return parts.join(", ");
}
