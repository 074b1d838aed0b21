import {
  Autocomplete,
  Button,
  Checkbox,
  Fieldset,
  Group,
  NumberInput,
  Select,
  Stack,
  TagsInput,
  Text,
  Textarea,
  TextInput,
} from "@mantine/core";
import { type FormEvent, useState } from "react";
import type { ProblemError } from "@/api/problem";
import styles from "./apps.module.css";
import type { FormDefaults } from "./defaults";

/** What the form of an app says. Empty texts stand for what is not set. */
export interface AppFields {
  key: string;
  name: string;
  description: string;
  service: string;
  environment: string;
  requiresReason: boolean;
  defaults: FormDefaults;
}

const ENVIRONMENTS = ["production", "staging", "development"];
const KEY = /^[a-z0-9][a-z0-9_-]{0,62}$/;

/** A key for an app out of its name: `Web shop` is `web-shop`. */
export function keyFor(name: string): string {
  return name
    .toLowerCase()
    .normalize("NFKD")
    .replace(/[^a-z0-9]+/g, "-")
    .replace(/^-+|-+$/g, "")
    .slice(0, 63);
}

/** One form for a new app and for a change of one, which keeps its key. */
export function AppForm({
  start,
  isNew,
  problem,
  busy,
  submit,
  onSubmit,
  onCancel,
}: {
  start: AppFields;
  isNew: boolean;
  problem: ProblemError | null;
  busy: boolean;
  submit: string;
  onSubmit: (fields: AppFields) => void;
  onCancel: () => void;
}) {
  const [fields, setFields] = useState(start);
  /** Whether the key follows the name: until somebody writes one. */
  const [keyFollows, setKeyFollows] = useState(isNew);
  const set = (some: Partial<AppFields>) => setFields((now) => ({ ...now, ...some }));
  const preset = (some: Partial<FormDefaults>) =>
    setFields((now) => ({ ...now, defaults: { ...now.defaults, ...some } }));
  const wrong = (field: string) =>
    problem !== null && (problem.field === field || problem.field?.startsWith(`${field}.`) === true)
      ? problem.message
      : undefined;
  const badKey = fields.key !== "" && !KEY.test(fields.key);
  const send = (event: FormEvent) => {
    event.preventDefault();
    onSubmit(fields);
  };
  const { defaults } = fields;
  return (
    <form onSubmit={send} className={styles.form}>
      <Stack gap="md">
        <TextInput
          label="Name"
          data-autofocus
          autoFocus={isNew}
          maxLength={200}
          value={fields.name}
          error={wrong("name")}
          onChange={({ currentTarget: { value } }) =>
            set(keyFollows ? { name: value, key: keyFor(value) } : { name: value })
          }
        />
        {isNew && (
          <TextInput
            label="Key"
            description="Its sidecars and SDK keys name it. It cannot be changed later."
            required
            maxLength={63}
            value={fields.key}
            error={badKey ? "Lower-case letters, digits, - and _; the first is a letter or a digit." : wrong("key")}
            onChange={({ currentTarget: { value } }) => {
              setKeyFollows(false);
              set({ key: value });
            }}
          />
        )}
        <Textarea
          label="Description"
          autosize
          minRows={2}
          maxLength={2000}
          value={fields.description}
          error={wrong("description")}
          onChange={({ currentTarget: { value } }) => set({ description: value })}
        />
        <Group grow align="flex-start" preventGrowOverflow={false} className={styles.pair}>
          <TextInput
            label="Service"
            description="Several apps may be of one service."
            maxLength={100}
            value={fields.service}
            error={wrong("service")}
            onChange={({ currentTarget: { value } }) => set({ service: value })}
          />
          <Autocomplete
            label="Environment"
            description="Production is marked on every page."
            data={ENVIRONMENTS}
            maxLength={100}
            value={fields.environment}
            error={wrong("environment")}
            onChange={(environment) => set({ environment })}
          />
        </Group>
        <Checkbox
          label="Ask for a reason"
          description="Whoever changes a flag or a segment of this app says why. It stands in the log."
          checked={fields.requiresReason}
          onChange={({ currentTarget: { checked } }) => set({ requiresReason: checked })}
        />
        <Fieldset legend="What a new flag gets" className={styles.defaults}>
          <Text size="sm" c="var(--quiet)" mb="sm">
            Each flag can be set otherwise. Flags that are there already stay as they are.
          </Text>
          <Stack gap="md">
            <TagsInput
              label="Tags"
              placeholder={defaults.tags.length === 0 ? "Write one, then Enter" : undefined}
              maxTags={20}
              value={defaults.tags}
              error={wrong("defaults.tags")}
              onChange={(tags) => preset({ tags })}
            />
            <Group grow align="flex-start" preventGrowOverflow={false} className={styles.pair}>
              <TextInput
                label="Owner"
                description="A name, a team or an e-mail address."
                maxLength={200}
                value={defaults.owner ?? ""}
                error={wrong("defaults.owner")}
                onChange={({ currentTarget: { value } }) => preset({ owner: value === "" ? null : value })}
              />
              <Select
                label="Lifetime"
                description="Temporary flags have a day on which they should be gone."
                data={[
                  { value: "permanent", label: "Permanent" },
                  { value: "temporary", label: "Temporary" },
                ]}
                placeholder="Permanent"
                clearable
                value={defaults.lifetime}
                onChange={(lifetime) => preset({ lifetime: lifetime as FormDefaults["lifetime"] })}
              />
            </Group>
            <Group grow align="flex-start" preventGrowOverflow={false} className={styles.pair}>
              <NumberInput
                label="Rollout"
                description="Percent of users, once it is on."
                placeholder="100"
                min={0}
                max={100}
                decimalScale={3}
                suffix="%"
                value={defaults.rollout ?? ""}
                error={wrong("defaults.rollout")}
                onChange={(value) => preset({ rollout: typeof value === "number" ? value : null })}
              />
              <NumberInput
                label="Error threshold"
                description="The circuit opens when more calls fail."
                placeholder="50"
                min={0}
                max={100}
                decimalScale={3}
                suffix="%"
                value={defaults.errorThreshold ?? ""}
                error={wrong("defaults.circuit")}
                onChange={(value) => preset({ errorThreshold: typeof value === "number" ? value : null })}
              />
            </Group>
            <Select
              label="When a circuit is open"
              data={[
                { value: "on", label: "Let users back in step by step" },
                { value: "off", label: "Wait for a person" },
              ]}
              placeholder="Let users back in step by step"
              clearable
              value={defaults.recovery === null ? null : defaults.recovery ? "on" : "off"}
              onChange={(value) => preset({ recovery: value === null ? null : value === "on" })}
            />
          </Stack>
        </Fieldset>
        {problem !== null && (
          <Text c="var(--mantine-color-error)" role="alert">
            {problem.message}
          </Text>
        )}
        <Group gap="xs">
          <Button type="submit" loading={busy} disabled={isNew && (fields.key === "" || badKey)}>
            {submit}
          </Button>
          <Button variant="default" onClick={onCancel}>
            Cancel
          </Button>
        </Group>
      </Stack>
    </form>
  );
}
