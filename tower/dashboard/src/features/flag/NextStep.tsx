import { Alert, Anchor, Stack, Text } from "@mantine/core";
import { IconTerminal2 } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { Link } from "react-router";
import { api, dataOf } from "@/api/client";
import { Snippet } from "@/components/Copy";
import type { Flag } from "@/features/flags/api";
import { paths } from "@/shell/paths";
import { addedUp } from "./targeting/answered";

const AGAIN_MS = 5_000;

/** What comes next for a flag that nothing has asked for yet: how to ask. It goes by itself when the first answer is counted. */
export function NextStep({ flag }: { flag: Flag }) {
  const asked = useAsked(flag);
  if (asked !== false || flag.archived_at !== null) return null;
  const sidecars = flag.state.arrived.of;
  return (
    <Alert
      mt="md"
      color="gray"
      variant="outline"
      icon={<IconTerminal2 />}
      title={sidecars === 0 ? `No sidecar of ${flag.app} is running yet` : "No sidecar has asked for this flag yet"}
    >
      <Stack gap="xs">
        <Text>
          {sidecars === 0 ? (
            <>
              A sidecar beside each service answers for the flags of {flag.app}.{" "}
              <Anchor component={Link} to={paths.keys(flag.app)} inherit>
                Make a key and start one
              </Anchor>
              , then ask it:
            </>
          ) : (
            "Here is how to ask the sidecar beside your service:"
          )}
        </Text>
        <Snippet what="the command" code={`curl 'http://127.0.0.1:4141/v1/flags/${flag.key}?targeting_key=ada'`} />
        <Text size="xs" c="var(--quiet)">
          The first answer is seen here within seconds.
        </Text>
      </Stack>
    </Alert>
  );
}

/** Whether anything has asked for the flag in the last 30 days, as long as that is kept; null while it is not known. */
function useAsked({ app, key: flag }: Flag): boolean | null {
  const { data = null } = useQuery({
    queryKey: ["graph", app, flag, "ever asked"],
    queryFn: async () => {
      const params = { path: { app, flag }, query: { range: "30d" as const } };
      const { evaluations, feature } = dataOf(await api.GET("/apps/{app}/flags/{flag}/timeseries", { params }));
      return feature.counted || addedUp(evaluations).all > 0;
    },
    // Once it was asked for, that stays so.
    refetchInterval: ({ state }) => (state.data === false ? AGAIN_MS : false),
    staleTime: ({ state }) => (state.data === true ? Number.POSITIVE_INFINITY : 0),
    retry: false,
  });
  return data;
}
