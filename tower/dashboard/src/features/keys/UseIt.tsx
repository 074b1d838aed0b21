import { Anchor, Code, Stack, Text, Title } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { Link } from "react-router";
import { Snippet } from "@/components/Copy";
import { paths } from "@/shell/paths";
import { firstFlagQuery } from "./api";
import { askSnippets } from "./askSnippets";
import { SnippetTabs } from "./SnippetTabs";
import { PLACEHOLDERS, runSnippets } from "./snippets";

/** How a sidecar is run with a key, and how programs ask it. Without a key at hand its place is marked. */
export function UseIt({ app, secret }: { app: string; secret: string | null }) {
  const { data: first } = useQuery(firstFlagQuery(app));
  const flag = first ?? "my-flag";
  return (
    <Stack gap="lg" maw={960}>
      <section>
        <Title order={2} mb={4}>
          Run a sidecar with it
        </Title>
        <Text c="var(--quiet)" mb="xs">
          <Code>{PLACEHOLDERS.nats}</Code> and <Code>{PLACEHOLDERS.redis}</Code> stand for where your NATS and Redis
          are: Tower does not know how your sidecars reach them.
          {secret === null && (
            <>
              {" "}
              <Code>{PLACEHOLDERS.key}</Code> stands for a key, which is shown when it is made.
            </>
          )}
        </Text>
        <SnippetTabs label="How to run a sidecar" snippets={runSnippets(app, secret, flag)} />
        <Text c="var(--quiet)" mt="xs" mb={4}>
          On a machine where <Code>tailslide up</Code> runs, this is all, and it makes a key by itself:
        </Text>
        <Snippet what="the commands" code={`eval "$(tailslide env --app ${app})"\ntailslide sidecar`} />
      </section>
      <section>
        <Title order={2} mb={4}>
          Ask it
        </Title>
        <Text c="var(--quiet)" mb="xs">
          Programs ask the sidecar beside them, and need no key: by HTTP, with a client of one file, which also reports
          how calls end, or with OpenFeature.
          {first === null && (
            <>
              {" "}
              {app} has no flag yet:{" "}
              <Anchor component={Link} to={paths.newFlag(app)} inherit>
                make one
              </Anchor>
              , and put its key in the place of <Code>my-flag</Code>.
            </>
          )}
        </Text>
        <SnippetTabs label="In which language" snippets={askSnippets(flag)} />
      </section>
    </Stack>
  );
}
