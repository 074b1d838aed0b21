import { Button, Collapse, Group, Stack, Switch, Text, TextInput, Title, UnstyledButton } from "@mantine/core";
import { notifications } from "@mantine/notifications";
import { IconChevronDown, IconChevronRight } from "@tabler/icons-react";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { type FormEvent, type ReactNode, useId, useRef, useState } from "react";
import { useNavigate } from "react-router";
import { api, because, dataOf } from "@/api/client";
import { ProblemError, sentenceOf } from "@/api/problem";
import { SlackAddress, useSlackAddress } from "@/features/alerts/SlackAddress";
import type { App } from "@/features/apps/api";
import { flagQuery } from "@/features/flags/api";
import { paths } from "@/shell/paths";
import { GivenUp, useReason } from "@/shell/reason";
import { AboutFields } from "../about/AboutFields";
import { MetadataFields } from "../about/MetadataFields";
import { CircuitSettings } from "../circuit/CircuitSettings";
import { settingsInWords } from "../circuit/inWords";
import { changesInWords } from "../editing/changesInWords";
import type { Draft } from "../editing/draft";
import { LeavingHeld } from "../editing/LeavingHeld";
import { problemAt } from "../editing/problems";
import type { Form } from "../editing/useEditing";
import { useFocusOnProblem } from "../editing/useShownProblem";
import { Percentage } from "../targeting/rollout/Rollout";
import { VariantsEditor } from "../targeting/variants/VariantsEditor";
import styles from "./create.module.css";
import { KEY_RULE, keyFrom, keyProblem } from "./flagKey";
import { newFlagInWords } from "./inWords";
import { bodyOf, CIRCUIT } from "./newFlag";
import { useKeyTaken } from "./useKeyTaken";

interface Props {
  app: App;
  initial: Draft;
  /** The key of a copy until another one is given; empty where it comes of the name. */
  initialKey?: string;
  /** Which app gets a copy; nothing where the page says so already. */
  appChoice?: ReactNode;
}

/** The form of a new flag, be it a copy or not, with what it will be in words. */
export function FlagForm({ app, initial, initialKey = "", appChoice }: Props) {
  const [draft, setDraft] = useState(initial);
  const [typedKey, setTypedKey] = useState<string | null>(initialKey === "" ? null : initialKey);
  const [tried, setTried] = useState(false);
  const slack = useSlackAddress();
  const made = useRef(false);
  const create = useCreate(app.key, made);
  const problem = create.error instanceof ProblemError ? create.error : null;
  useFocusOnProblem(problem);
  const key = typedKey ?? keyFrom(draft.name);
  const taken = useKeyTaken(app.key, key);
  const form: Form = {
    draft,
    change: (fields) => setDraft((now) => ({ ...now, ...fields })),
    readOnly: false,
    problem,
  };
  const wrongKey =
    taken === true ? `${app.key} already has a flag ${key}.` : tried || typedKey !== null ? keyProblem(key) : null;
  const submit = async (event: FormEvent) => {
    event.preventDefault();
    setTried(true);
    if (keyProblem(key) !== null || taken === true || slack.problem !== null) return;
    await create.mutateAsync({ key, draft, slack }).catch((error: unknown) => {
      if (!(error instanceof ProblemError || error instanceof GivenUp)) throw error;
    });
  };
  const unsaved = [...(typedKey !== null && typedKey !== initialKey ? ["key"] : []), ...changesInWords(initial, draft)];
  return (
    <form onSubmit={(event) => void submit(event)} className={styles.columns} noValidate>
      <Stack gap="lg">
        <Stack gap="sm">
          {appChoice}
          <TextInput
            label="Name"
            description="What people call it."
            data-autofocus
            maxLength={200}
            value={draft.name}
            error={problemAt(form, "name")}
            onChange={(event) => form.change({ name: event.currentTarget.value })}
          />
          <TextInput
            label="Key"
            description={KEY_RULE}
            required
            spellCheck={false}
            autoCapitalize="none"
            autoComplete="off"
            maxLength={120}
            value={key}
            error={problemAt(form, "key") ?? wrongKey}
            onChange={(event) => setTypedKey(event.currentTarget.value)}
          />
        </Stack>
        <section>
          <Title order={2} mb="xs">
            Who gets it
          </Title>
          <Stack gap="sm">
            <Switch
              label="On at once"
              description="Off, nobody gets it until somebody turns it on."
              checked={draft.active}
              onChange={(event) => form.change({ active: event.currentTarget.checked })}
            />
            <Percentage
              label="Rollout"
              value={draft.rollout}
              change={(rollout) => form.change({ rollout })}
              problem={problemAt(form, "rollout")}
            />
          </Stack>
        </section>
        <section>
          <Title order={2} mb="xs">
            Circuit
          </Title>
          <Stack gap="sm">
            <Switch
              label="Take it from users when it fails"
              description={settingsInWords(draft.circuit)}
              checked={draft.circuit !== null}
              onChange={(event) =>
                form.change({ circuit: event.currentTarget.checked ? (initial.circuit ?? CIRCUIT) : null })
              }
            />
            {draft.circuit !== null && (
              <Folded title="Settings of the circuit" open={problem?.field?.startsWith("circuit") === true}>
                <CircuitSettings editing={form} bare />
              </Folded>
            )}
            <SlackAddress app={app.key} flag={null} held={slack} />
          </Stack>
        </section>
        <section>
          <Title order={2} mb="xs">
            About
          </Title>
          <AboutFields form={form} named={false} />
        </section>
        <section>
          <Title order={2} mb="xs">
            For programs
          </Title>
          <Stack gap="sm">
            <Folded
              title={`Values: ${Object.keys(draft.variants).join(", ")}`}
              open={["type", "variants", "off_variant", "split"].some((field) => problemAt(form, field) !== null)}
            >
              <VariantsEditor
                fields={draft}
                change={form.change}
                readOnly={false}
                problemAt={(field) => problemAt(form, field)}
              />
            </Folded>
            <MetadataFields form={form} />
          </Stack>
        </section>
      </Stack>
      <aside className={styles.summary} aria-label="What will be made">
        <Stack gap="xs">
          <Title order={2}>What will be made</Title>
          {newFlagInWords(app.key, key === "" ? "…" : key, draft, slack.url).map((sentence) => (
            <Text key={sentence}>{sentence}</Text>
          ))}
          {problem !== null && (
            <Text c="var(--mantine-color-error)" role="alert">
              Not made: {problem.message}
            </Text>
          )}
          <Group>
            <Button type="submit" loading={create.isPending}>
              Make the flag
            </Button>
          </Group>
        </Stack>
      </aside>
      <LeavingHeld words={unsaved} name={key === "" ? "the new flag" : key} isWithin={() => made.current} />
    </form>
  );
}

/** Make the flag, then its Slack address, and go to its page. */
function useCreate(app: string, made: { current: boolean }) {
  const queries = useQueryClient();
  const navigate = useNavigate();
  const reasonFor = useReason();
  return useMutation({
    mutationFn: async ({
      key,
      draft,
      slack,
    }: {
      key: string;
      draft: Draft;
      slack: ReturnType<typeof useSlackAddress>;
    }) => {
      const header = because(await reasonFor(app));
      const params = { path: { app }, header };
      const flag = dataOf(await api.POST("/apps/{app}/flags", { params, body: bodyOf(key, draft) }));
      made.current = true;
      queries.setQueryData(flagQuery(app, key).queryKey, flag);
      void queries.invalidateQueries({ queryKey: ["flags"] });
      void queries.invalidateQueries({ queryKey: ["log"] });
      try {
        await slack.save(app, key);
      } catch (error) {
        // The flag is there: its page, under Settings, is where the address is given again.
        const message = `Slack is not told of it: ${sentenceOf(error)}`;
        notifications.show({ color: "gray", title: "The flag is made", message, autoClose: false });
      }
      await navigate(paths.flag(app, key));
    },
  });
}

function Folded({ title, open, children }: { title: string; open: boolean; children: ReactNode }) {
  const [opened, setOpened] = useState(false);
  const id = useId();
  const shown = opened || open;
  return (
    <div>
      <UnstyledButton
        type="button"
        className={styles.fold}
        aria-expanded={shown}
        aria-controls={id}
        onClick={() => setOpened(!opened)}
      >
        {shown ? <IconChevronDown size={16} aria-hidden /> : <IconChevronRight size={16} aria-hidden />}
        {title}
      </UnstyledButton>
      <Collapse expanded={shown} id={id}>
        <div className={styles.folded}>{children}</div>
      </Collapse>
    </div>
  );
}
