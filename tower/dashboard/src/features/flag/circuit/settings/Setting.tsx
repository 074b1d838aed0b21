import { Button, Group, Input, NativeSelect, NumberInput, Text } from "@mantine/core";
import { type ReactNode, useId, useState } from "react";
import { exactSpan, percent } from "@/components/numbers";
import { inMs, UNITS, type Unit, writtenIn } from "./durations";
import { LIMITS, type Limited } from "./limits";
import styles from "./settings.module.css";

interface About {
  label: string;
  /** What it does, in a sentence. */
  explained: ReactNode;
  readOnly: boolean;
  /** What Tower refused. */
  problem: string | null;
}

/** A setting with its explanation, its default, and the way back to that. */
export function Setting({
  label,
  explained,
  usual,
  isUsual,
  onUsual,
  readOnly,
  children,
}: Pick<About, "label" | "explained" | "readOnly"> & {
  /** The default in words. */
  usual: string;
  isUsual: boolean;
  onUsual: () => void;
  children: ReactNode;
}) {
  return (
    <div className={styles.setting}>
      {children}
      <Text size="xs" c="var(--quiet)">
        {explained}
      </Text>
      <Group gap={6} className={styles.usual}>
        <Text size="xs" c="var(--quiet)">
          {isUsual ? `This is the default.` : `Default: ${usual}.`}
        </Text>
        {!isUsual && !readOnly && (
          <Button
            size="compact-xs"
            variant="subtle"
            onClick={onUsual}
            aria-label={`Back to default: ${label}, ${usual}`}
          >
            Back to default
          </Button>
        )}
      </Group>
    </div>
  );
}

interface NumberProps extends About {
  name: Limited;
  value: number;
  /** The default; null where there is none. */
  usual: number | null;
  onChange: (value: number) => void;
  unit?: "%";
  step?: number;
}

/** A setting that is a number, often a percentage. What is out of range is said at once, and not changed in silence. */
export function NumberSetting({
  name,
  label,
  explained,
  value,
  usual,
  onChange,
  unit,
  step,
  readOnly,
  problem,
}: NumberProps) {
  const write = unit === "%" ? percent : (each: number) => each.toLocaleString(undefined, { maximumFractionDigits: 9 });
  return (
    <Setting
      label={label}
      explained={explained}
      usual={usual === null ? "none" : write(usual)}
      isUsual={value === usual}
      onUsual={() => usual !== null && onChange(usual)}
      readOnly={readOnly || usual === null}
    >
      <NumberInput
        label={label}
        value={value}
        onChange={(next) => typeof next === "number" && onChange(next)}
        suffix={unit}
        step={step ?? 1}
        min={LIMITS[name].from}
        max={LIMITS[name].to}
        clampBehavior="none"
        decimalScale={9}
        disabled={readOnly}
        error={problem ?? rangeProblem(label, value, name, write)}
        maw={200}
      />
    </Setting>
  );
}

interface DurationProps extends About {
  name: Limited;
  value: number;
  usual: number | null;
  onChange: (value: number) => void;
  /** What else is wrong with it. */
  wrong?: string | null;
}

/** A setting that is a duration, in the unit that it is written in. */
export function DurationSetting({
  name,
  label,
  explained,
  value,
  usual,
  onChange,
  readOnly,
  problem,
  wrong,
}: DurationProps) {
  return (
    <Setting
      label={label}
      explained={explained}
      usual={usual === null ? "none" : exactSpan(usual)}
      isUsual={value === usual}
      onUsual={() => usual !== null && onChange(usual)}
      readOnly={readOnly || usual === null}
    >
      <DurationInput
        label={label}
        value={value}
        onChange={onChange}
        disabled={readOnly}
        error={problem ?? rangeProblem(label, value, name, exactSpan) ?? wrong ?? null}
      />
    </Setting>
  );
}

function DurationInput({
  label,
  value,
  onChange,
  disabled,
  error,
}: {
  label: string;
  value: number;
  onChange: (value: number) => void;
  disabled: boolean;
  error: string | null;
}) {
  const id = useId();
  const [unit, setUnit] = useState<Unit>(writtenIn(value).unit);
  const [known, setKnown] = useState(value);
  // What was discarded, or came from elsewhere, is written in its own unit.
  if (known !== value) {
    setKnown(value);
    setUnit(writtenIn(value).unit);
  }
  const change = (ms: number, its: Unit) => {
    setKnown(ms);
    setUnit(its);
    onChange(ms);
  };
  const amount = value / UNITS[unit];
  return (
    <Input.Wrapper label={label} error={error} labelProps={{ htmlFor: id }}>
      <div className={styles.duration}>
        <NumberInput
          id={id}
          value={amount}
          onChange={(next) => typeof next === "number" && change(inMs({ value: next, unit }), unit)}
          clampBehavior="none"
          min={0}
          decimalScale={3}
          disabled={disabled}
          error={error != null}
        />
        <NativeSelect
          aria-label={`Unit of: ${label}`}
          data={Object.keys(UNITS)}
          value={unit}
          onChange={({ currentTarget: { value: next } }) =>
            change(inMs({ value: amount, unit: next as Unit }), next as Unit)
          }
          disabled={disabled}
        />
      </div>
    </Input.Wrapper>
  );
}

function rangeProblem(
  label: string,
  value: number,
  name: Limited,
  write: (value: number) => string,
): string | undefined {
  const { from, to } = LIMITS[name];
  return value >= from && value <= to ? undefined : `${label} is from ${write(from)} to ${write(to)}.`;
}
