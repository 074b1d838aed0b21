import { ActionIcon, Button, Code, Group, Radio, Select, Stack, Text, TextInput, Tooltip } from "@mantine/core";
import { IconPlus, IconTrash } from "@tabler/icons-react";
import { useRef, useState } from "react";
import { share } from "@/components/numbers";
import styles from "../targeting.module.css";
import { moved, percentages } from "./split";
import { ValueField } from "./ValueField";
import {
  keptBecause,
  nameProblem,
  renamed,
  type ValueType,
  type VariantFields,
  variantsOf,
  withoutVariant,
  withVariant,
} from "./variants";
import { SplitBar, Weight } from "./Weights";

const TYPES: { value: ValueType; label: string }[] = [
  { value: "boolean", label: "Boolean: on and off" },
  { value: "string", label: "String" },
  { value: "number", label: "Number" },
  { value: "object", label: "Object (JSON)" },
];
const MOST_VARIANTS = 100;

/** What users can get: variants with their values, which of them is the off variant, and how the others are divided. */
export function VariantsEditor({
  fields,
  change,
  readOnly,
  saved = null,
  problemAt = () => null,
}: {
  fields: VariantFields;
  change: (fields: Partial<VariantFields>) => void;
  readOnly: boolean;
  /** The flag as it is saved; null while it is being made, when its type can still be chosen. */
  saved?: VariantFields | null;
  problemAt?: (field: string) => string | null;
}) {
  const names = Object.keys(fields.variants);
  const ids = useIds(names);
  if (readOnly) return <ShownVariants fields={fields} />;
  return (
    <Stack gap={12}>
      {saved === null && (
        <Select
          maw={280}
          label="Type"
          description="It stays as it is once the flag is made."
          data={TYPES}
          allowDeselect={false}
          value={fields.type}
          onChange={(type) => type !== null && change(variantsOf(type as ValueType))}
          error={problemAt("type")}
        />
      )}
      <div className={`${styles.variant} ${styles.variantHead}`} aria-hidden>
        <span>Variant</span>
        <span>Value</span>
        <span>Off</span>
        <span>Weight</span>
        <span />
      </div>
      <Radio.Group
        aria-label="Off variant: what users get who are out"
        value={fields.off_variant}
        onChange={(off_variant) => change({ off_variant })}
      >
        <Stack gap={8}>
          {names.map((name, place) => (
            <Variant
              key={ids.at(place)}
              name={name}
              fields={fields}
              rename={(to) => {
                ids.rename(name, to);
                change(renamed(fields, name, to));
              }}
              change={change}
              problem={problemAt(`variants.${name}`)}
            />
          ))}
        </Stack>
      </Radio.Group>
      <SplitBar split={fields.split} />
      <Problems
        of={[
          // What is wrong with one value stands beside it.
          names.some((name) => problemAt(`variants.${name}`) !== null) ? null : problemAt("variants"),
          problemAt("off_variant"),
          problemAt("split"),
        ]}
      />
      <Group gap={12}>
        <Button
          size="compact-sm"
          variant="default"
          leftSection={<IconPlus size={14} />}
          disabled={names.length >= MOST_VARIANTS}
          onClick={() => change(withVariant(fields))}
        >
          Add a variant
        </Button>
        <Text size="sm" c="var(--quiet)" aria-live="polite">
          {movedInWords(fields, saved)}
        </Text>
      </Group>
    </Stack>
  );
}

function Problems({ of }: { of: (string | null)[] }) {
  const found = of.filter((problem) => problem !== null);
  if (found.length === 0) return null;
  return (
    <Text size="sm" c="var(--mantine-color-error)" role="alert">
      {found.join(" ")}
    </Text>
  );
}

/** What happens to users when the weights are saved. */
function movedInWords(fields: VariantFields, saved: VariantFields | null): string {
  if (fields.split.every(({ weight }) => weight === 0)) return "One variant needs a weight above 0.";
  const part = saved === null ? 0 : moved(saved.split, fields.split);
  if (part < 0.05)
    return "Each user who is in keeps their variant while the rollout moves. Only the ratio of weights counts.";
  return `About ${share(part)} of the users who are in get another variant than now; the others keep theirs.`;
}

function Variant({
  name,
  fields,
  rename,
  change,
  problem,
}: {
  name: string;
  fields: VariantFields;
  rename: (to: string) => void;
  change: (fields: Partial<VariantFields>) => void;
  problem: string | null;
}) {
  const kept = keptBecause(fields, name);
  return (
    <div className={styles.variant}>
      <div className={styles.variantName}>
        <NameField name={name} others={Object.keys(fields.variants).filter((each) => each !== name)} rename={rename} />
      </div>
      <div className={styles.variantValue}>
        <ValueField
          variant={name}
          type={fields.type}
          value={fields.variants[name]}
          change={(value) => change({ variants: { ...fields.variants, [name]: value } })}
          problem={problem}
        />
      </div>
      <Tooltip label="Users who are out get this">
        <Radio value={name} aria-label={`${name} is the off variant`} mt={8} />
      </Tooltip>
      <Weight variant={name} split={fields.split} change={(split) => change({ split })} of="in the split" />
      <Tooltip label={kept ?? `Remove ${name}`} multiline maw={280}>
        <ActionIcon
          variant="subtle"
          color="gray"
          size="lg"
          className={styles.remove}
          data-disabled={kept !== null || undefined}
          aria-disabled={kept !== null}
          aria-label={kept === null ? `Remove ${name}` : `Remove ${name}: not now. ${kept}`}
          onClick={() => kept === null && change(withoutVariant(fields, name))}
        >
          <IconTrash size={16} />
        </ActionIcon>
      </Tooltip>
    </div>
  );
}

/** A name is taken when the field is left: halfway, it may be that of another variant. */
function NameField({ name, others, rename }: { name: string; others: string[]; rename: (to: string) => void }) {
  const [text, setText] = useState<string | null>(null);
  const problem = text === null ? null : nameProblem(text, others);
  const take = () => {
    if (text === null || problem !== null) return;
    setText(null);
    if (text !== name) rename(text);
  };
  return (
    <TextInput
      aria-label={`Name of the variant ${name}`}
      value={text ?? name}
      maxLength={100}
      onChange={(event) => setText(event.currentTarget.value)}
      onBlur={take}
      onKeyDown={(event) => {
        if (event.key === "Enter") {
          event.preventDefault();
          take();
        }
        if (event.key === "Escape") setText(null);
      }}
      error={problem}
    />
  );
}

/** Ids of variants that outlive their renaming, so that the field keeps the cursor. */
function useIds(names: readonly string[]) {
  const known = useRef(new Map<string, number>());
  const next = useRef(0);
  for (const name of names) if (!known.current.has(name)) known.current.set(name, next.current++);
  return {
    at: (place: number) => known.current.get(names[place] ?? ""),
    rename: (from: string, to: string) => {
      const id = known.current.get(from);
      known.current.delete(from);
      if (id !== undefined) known.current.set(to, id);
    },
  };
}

function ShownVariants({ fields: { variants, off_variant, split } }: { fields: VariantFields }) {
  const parts = new Map(percentages(split).map(({ variant, percent }) => [variant, percent]));
  return (
    <Stack gap={8}>
      {Object.entries(variants).map(([name, value]) => (
        <Group key={name} gap={8}>
          <Text size="sm" fw={500}>
            {name}
          </Text>
          <Code style={{ overflowWrap: "anywhere" }}>{JSON.stringify(value)}</Code>
          <Text size="sm" c="var(--quiet)">
            {[
              name === off_variant ? "off variant" : null,
              parts.has(name) ? `${share(parts.get(name))} of those who are in` : null,
            ]
              .filter((each) => each !== null)
              .join(", ")}
          </Text>
        </Group>
      ))}
      <SplitBar split={split} />
    </Stack>
  );
}
