import { Stack, Text } from "@mantine/core";
import { Snippet } from "@/components/Copy";
import type { Flag } from "@/features/flags/api";

/** Nothing was ever counted of the flag: where counts come from. */
export function NoCalls({ flag }: { flag: Flag }) {
  return (
    <Stack gap="xs" py="md">
      <Text>
        No sidecar has reported calls of this flag yet. The proxy counts them by itself. Without the proxy, report each
        outcome to the sidecar beside your service:
      </Text>
      <Snippet
        what="the command that reports an outcome"
        code={`curl -X POST http://127.0.0.1:4141/v1/flags/${flag.key}/outcomes \\
  -H 'content-type: application/json' -d '{"outcome": "success", "latency_ms": 12.5}'`}
      />
    </Stack>
  );
}
