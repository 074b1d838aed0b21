import { Alert, Code, Text } from "@mantine/core";
import { IconAlertTriangle } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { statusQuery } from "@/features/overview/status";

/** Says above every page that no change reaches a sidecar until somebody says which database fills NATS. */
export function NotPublishingBanner() {
  const { data } = useQuery(statusQuery(null));
  const refused = data?.not_publishing;
  if (refused === null || refused === undefined) return null;
  return (
    <Alert
      mb="md"
      color="yellow"
      variant="outline"
      icon={<IconAlertTriangle />}
      title="This Tower publishes nothing: changes are refused until somebody decides"
      role="alert"
      styles={{ title: { color: "var(--mantine-color-text)" } }}
    >
      <Text mb="xs" style={{ overflowWrap: "anywhere" }}>
        {sentence(refused.problem)} Sidecars go on with what they have, and circuits open and recover.
      </Text>
      <Text>{inCode(sentence(refused.remedy))}</Text>
    </Alert>
  );
}

function sentence(said: string): string {
  return `${said.charAt(0).toUpperCase()}${said.slice(1)}.`;
}

/** Tower puts commands in backticks. */
function inCode(said: string) {
  return said.split("`").map((part, place) =>
    // biome-ignore lint/suspicious/noArrayIndexKey: parts have no identity besides their place
    place % 2 === 1 ? <Code key={place}>{part}</Code> : part,
  );
}
