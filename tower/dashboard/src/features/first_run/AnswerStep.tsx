import { Button, Group, Loader, Stack, Text } from "@mantine/core";
import { notifications } from "@mantine/notifications";
import { sentenceOf } from "@/api/problem";
import { useRights } from "@/api/session";
import { Snippet } from "@/components/Copy";
import { counted } from "@/components/numbers";
import { Sentence } from "@/components/Sentence";
import { StateBadge } from "@/components/StateBadge";
import { type Flag, useFlagChanges } from "@/features/flags/api";
import { GivenUp } from "@/shell/reason";
import { askCommand } from "./commands";

/** Ask the sidecar, then turn the flag off and ask again. */
export function AnswerStep({
  flag,
  listener,
  lately,
  waiting,
}: {
  flag: Flag;
  listener: string;
  lately: ReadonlyMap<string, number>;
  waiting: boolean;
}) {
  const { mayEdit } = useRights();
  const { toggle } = useFlagChanges(flag);
  const press = () =>
    toggle.mutate(!flag.active, {
      onError: (error) => {
        if (!(error instanceof GivenUp)) notifications.show({ message: sentenceOf(error) });
      },
    });
  const answers = [...lately].map(([variant, number]) => `${variant} ${counted(number, "time")}`).join(", ");
  return (
    <Stack gap="sm">
      <Text>
        Ask as your app will ask, for a user with the key <code>user-1</code>:
      </Text>
      <Snippet what="the command" code={askCommand(listener, flag.key)} />
      {waiting && (
        <Group gap="xs" role="status">
          <Loader size="xs" aria-hidden />
          <Text>Waiting for the first question.</Text>
        </Group>
      )}
      {answers !== "" && <Text role="status">Answered in the last 5 min: {answers}.</Text>}
      <Group gap="sm">
        <StateBadge state={flag.state} />
        <Button variant="default" onClick={press} loading={toggle.isPending} disabled={!mayEdit(flag.app)}>
          {flag.active ? `Turn ${flag.key} off` : `Turn ${flag.key} on`}
        </Button>
      </Group>
      <Sentence state={flag.state} />
      <Text c="var(--quiet)">
        {flag.active
          ? "Turn it off and ask again: the answer is another one within a second."
          : "Ask again: now “active” is false, and “reason” says that a person turned it off."}
      </Text>
    </Stack>
  );
}
