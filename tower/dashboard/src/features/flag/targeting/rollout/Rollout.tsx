import { Button, Group, NumberInput, Slider, Text, TextInput } from "@mantine/core";

const PRESETS = [0, 1, 5, 10, 25, 50, 100];

/** A percentage: as a slider, as a number, and as the steps that people take. */
export function Percentage({
  label,
  value,
  change,
  problem,
}: {
  label: string;
  value: number;
  change: (value: number) => void;
  problem?: string | null;
}) {
  return (
    <div>
      <Group gap={16} wrap="nowrap" align="center">
        <Slider
          flex={1}
          min={0}
          max={100}
          step={1}
          label={null}
          thumbLabel={`${label}, as a slider`}
          thumbSize={18}
          value={value}
          onChange={change}
        />
        <NumberInput
          w={104}
          aria-label={`${label} in percent`}
          min={0}
          max={100}
          step={1}
          decimalScale={3}
          clampBehavior="strict"
          suffix="%"
          value={value}
          onChange={(next) => typeof next === "number" && change(next)}
          error={problem != null}
        />
      </Group>
      <Group gap={4} mt={8} role="group" aria-label={`Usual steps of the ${label.toLowerCase()}`}>
        {PRESETS.map((preset) => (
          <Button
            key={preset}
            size="compact-sm"
            variant={preset === value ? "light" : "default"}
            aria-pressed={preset === value}
            onClick={() => change(preset)}
          >
            {preset}%
          </Button>
        ))}
      </Group>
      {problem != null && (
        <Text size="sm" c="var(--mantine-color-error)" role="alert" mt={4}>
          {problem}
        </Text>
      )}
    </div>
  );
}

/** What users are told apart by: the targeting key, or an attribute that several users share. */
export function BucketBy({
  value,
  change,
  problem,
}: {
  value: string | null;
  change: (value: string | null) => void;
  problem?: string | null;
}) {
  return (
    <TextInput
      maw={420}
      label="Bucket by"
      description="An attribute such as company keeps all of its users together. Empty: each user alone, by targeting key."
      placeholder="targeting key"
      maxLength={200}
      value={value ?? ""}
      onChange={(event) => change(event.currentTarget.value === "" ? null : event.currentTarget.value)}
      error={problem}
    />
  );
}
