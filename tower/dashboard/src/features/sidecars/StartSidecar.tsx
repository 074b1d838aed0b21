import { Anchor, Stack, Text } from "@mantine/core";
import { Link } from "react-router";
import { Snippet } from "@/components/Copy";
import { paths } from "@/shell/paths";

/** How to start a sidecar of an app, with `tailslide up` and with servers of one's own. */
export function StartSidecar({ app }: { app: string }) {
  return (
    <Stack gap="xs">
      <Text>
        On a machine where <code>tailslide up</code> runs:
      </Text>
      <Snippet
        what="the commands"
        code={`eval "$(tailslide env --app ${app})"\nTAILSLIDE_APP=${app} tailslide sidecar`}
      />
      <Text>
        With servers of your own, it needs an{" "}
        <Anchor component={Link} to={paths.keys(app)} inherit>
          SDK key
        </Anchor>
        ; that page has the files for Docker and Kubernetes as well.
      </Text>
    </Stack>
  );
}
