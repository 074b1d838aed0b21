import { Anchor, Box, Group, Select, Stack, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { Link, useSearchParams } from "react-router";
import { useRights } from "@/api/session";
import { ErrorState, LoadingState, PageHead, QueryView } from "@/components/views";
import { type App, appsQuery } from "@/features/apps/api";
import { useLiveNeed } from "@/live/LiveProvider";
import { paths } from "@/shell/paths";
import { AnswerStep } from "./AnswerStep";
import { useAnswers, useFirstFlags, useHeard, useKeyCount, useMakeApp, useMakeFlag } from "./api";
import { type Servers, SIDECAR_LISTENER } from "./commands";
import { KeyStep } from "./KeyStep";
import { MakeKeyed } from "./MakeKeyed";
import { doneSteps, nextStep } from "./progress";
import { SidecarStep } from "./SidecarStep";
import { StepCard } from "./StepCard";

/** Five steps from an empty Tower to a flag that a sidecar answers. They can be left and entered again at any time. */
export function WelcomePage() {
  const apps = useQuery(appsQuery);
  return (
    <Box maw={800}>
      <PageHead title="A first flag, in five steps">
        <Text c="var(--quiet)">
          You can leave at any time, and come back: what is there already counts as done.{" "}
          <Anchor component={Link} to="/" inherit>
            Go to the overview
          </Anchor>
        </Text>
      </PageHead>
      <QueryView query={apps}>{(all) => <Steps apps={all} />}</QueryView>
    </Box>
  );
}

function Steps({ apps }: { apps: readonly App[] }) {
  const [search, setSearch] = useSearchParams();
  const { mayAdmin, mayEdit } = useRights();
  const [sdkKeys, setSdkKeys] = useState<Readonly<Record<string, string>>>({});
  const asked = search.get("app");
  const app = apps.find(({ key }) => key === asked)?.key ?? apps[0]?.key ?? null;
  const servers: Servers = search.get("servers") === "own" ? "own" : "up";
  const choose = (name: string, value: string) =>
    setSearch(
      (before) => {
        const next = new URLSearchParams(before);
        next.set(name, value);
        if (name === "app") next.delete("flag");
        return next;
      },
      { replace: true },
    );
  const { flags, error, refetch } = useFirstFlags(app);
  const flag = flags?.find(({ key }) => key === search.get("flag")) ?? flags?.[0] ?? null;
  const keys = useKeyCount(app);
  const heard = useHeard(app);
  const { lately, day } = useAnswers(app, flag?.key ?? null);
  useLiveNeed({ refresh: flag === null ? [] : [`${flag.app}.${flag.key}`] });
  const done = doneSteps({
    app,
    flag: flag?.key ?? null,
    keys,
    sidecars: heard.length,
    answers: lately.size + day.size,
  });
  const next = nextStep(done);
  const makeApp = useMakeApp();
  const makeFlag = useMakeFlag(app ?? "");
  const sdkKey = app === null ? null : (sdkKeys[app] ?? null);
  const [first] = heard;
  if (flags === undefined) {
    return error === null ? (
      <LoadingState rows={5} height={96} />
    ) : (
      <ErrorState error={error} retry={() => void refetch()} />
    );
  }
  return (
    <Stack component="ol" gap="md" p={0} m={0} style={{ listStyle: "none" }}>
      <StepCard
        number={1}
        title="Make an app"
        done={done.has("app")}
        next={next === "app"}
        result={
          apps.length > 1 ? (
            <Group gap="xs">
              <Text>The steps are about</Text>
              <Select
                aria-label="App"
                w={220}
                searchable
                allowDeselect={false}
                data={apps.map(({ key }) => key)}
                value={app}
                onChange={(key) => key !== null && choose("app", key)}
              />
            </Group>
          ) : (
            <Text>
              The app{" "}
              <Anchor component={Link} to={paths.app(app ?? "")} inherit fw={600}>
                {app}
              </Anchor>{" "}
              is there.
            </Text>
          )
        }
      >
        {app === null &&
          (mayAdmin() ? (
            <MakeKeyed
              make={makeApp}
              label="Key of the app"
              description="Lower case letters, digits, - and _. It cannot be changed later."
              example="checkout"
              button="Make the app"
              made={(key) => choose("app", key)}
            />
          ) : (
            <Text c="var(--quiet)">Only admins make apps. Ask one.</Text>
          ))}
      </StepCard>
      <StepCard
        number={2}
        title="Make a flag"
        done={done.has("flag")}
        next={next === "flag"}
        result={
          flag !== null && (
            <Text>
              The flag{" "}
              <Anchor component={Link} to={paths.flag(flag.app, flag.key)} inherit fw={600}>
                {flag.key}
              </Anchor>{" "}
              is there.
            </Text>
          )
        }
      >
        {app !== null &&
          flag === null &&
          (mayEdit(app) ? (
            <MakeKeyed
              make={makeFlag}
              label="Key of the flag"
              description="What your code asks for. The flag is on for everybody, so the first answer is a yes."
              example="new-checkout"
              button="Make the flag"
              made={(key) => choose("flag", key)}
            />
          ) : (
            <Text c="var(--quiet)">You can see this app but not change it. Ask one of its editors to make a flag.</Text>
          ))}
      </StepCard>
      <StepCard
        number={3}
        title="Get an SDK key"
        done={done.has("key")}
        next={next === "key"}
        result={keys !== null && keys > 0 && <Text>{app} has a key.</Text>}
      >
        {app !== null && flag !== null && (
          <KeyStep
            app={app}
            servers={servers}
            setServers={(value) => choose("servers", value)}
            sdkKey={sdkKey}
            setSdkKey={(key) => setSdkKeys({ ...sdkKeys, [app]: key })}
          />
        )}
      </StepCard>
      <StepCard
        number={4}
        title="Start a sidecar"
        done={done.has("sidecar")}
        next={next === "sidecar"}
        result={
          first !== undefined && (
            <Text>
              <b>{first.instance}</b> is connected, version {first.version}
              {heard.length > 1 && `, and ${heard.length - 1} more`}.
            </Text>
          )
        }
      >
        {app !== null && flag !== null && !done.has("sidecar") && (
          <SidecarStep app={app} servers={servers} sdkKey={sdkKey} waiting={done.has("key")} />
        )}
      </StepCard>
      <StepCard
        number={5}
        title="Ask it"
        done={done.has("answer")}
        next={next === "answer"}
        result={
          flag !== null && (
            <Text>
              Your first flag is answered. What else it can do, and what it does, is on{" "}
              <Anchor component={Link} to={paths.flag(flag.app, flag.key)} inherit>
                its own page
              </Anchor>
              .
            </Text>
          )
        }
      >
        {flag !== null && done.has("sidecar") && (
          <AnswerStep
            flag={flag}
            listener={first?.listeners[0] ?? SIDECAR_LISTENER}
            lately={lately}
            waiting={!done.has("answer")}
          />
        )}
      </StepCard>
    </Stack>
  );
}
