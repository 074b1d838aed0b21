import { Anchor, Button, Collapse, Text, Title } from "@mantine/core";
import { useDisclosure, useMediaQuery } from "@mantine/hooks";
import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { Link } from "react-router";
import { api, dataOf } from "@/api/client";
import { Ago } from "@/components/Moment";
import { count, counted, NOT_KNOWN } from "@/components/numbers";
import { sidecarsQuery } from "@/features/sidecars/api";
import { paths } from "@/shell/paths";
import type { App } from "./api";
import styles from "./apps.module.css";
import { defaultsInWords } from "./defaults";

/** What else belongs to an app, shortly, with the ways there. On a phone it is folded, so that the flags are near. */
export function AppStrip({ app }: { app: App }) {
  const narrow = useMediaQuery("(max-width: 40em)", window.innerWidth <= 640) === true;
  const [open, { toggle }] = useDisclosure(false);
  const strip = (
    <div className={styles.strip}>
      <Sidecars app={app.key} />
      <Keys app={app.key} />
      <Defaults app={app} />
      <Lately app={app.key} />
    </div>
  );
  if (!narrow) return strip;
  return (
    <div className={styles.folded}>
      <Button variant="default" h={40} onClick={toggle} aria-expanded={open}>
        {open ? "Less about this app" : "Sidecars, keys, defaults and log"}
      </Button>
      <Collapse expanded={open}>{strip}</Collapse>
    </div>
  );
}

function Part({ name, to, children }: { name: string; to?: string; children: ReactNode }) {
  return (
    <section className={styles.part}>
      <Title order={2} size="h3" mb={4}>
        {to === undefined ? (
          name
        ) : (
          <Anchor component={Link} to={to} inherit c="inherit">
            {name}
          </Anchor>
        )}
      </Title>
      {children}
    </section>
  );
}

/** How many sidecars there are, and how many lag. */
function Sidecars({ app }: { app: string }) {
  const { data } = useInfiniteQuery(sidecarsQuery(app));
  const counts = data?.pages[0]?.counts;
  const of = (status: "current" | "behind" | "silent") => counts?.[status] ?? 0;
  const all = of("current") + of("behind") + of("silent");
  const lagging = [
    ...(of("behind") > 0 ? [`${count(of("behind"))} behind`] : []),
    ...(of("silent") > 0 ? [`${count(of("silent"))} silent`] : []),
  ];
  return (
    <Part name="Sidecars" to={paths.sidecars(app)}>
      {counts === undefined ? (
        <Text c="var(--quiet)">{NOT_KNOWN}</Text>
      ) : all === 0 ? (
        <Text c="var(--quiet)">None is running.</Text>
      ) : (
        <Text fw={lagging.length > 0 ? 600 : undefined}>
          {counted(all, "sidecar")}, {lagging.length > 0 ? lagging.join(", ") : "up to date"}
        </Text>
      )}
    </Part>
  );
}

function Keys({ app }: { app: string }) {
  const { data } = useQuery({
    queryKey: ["keys", app, "number"],
    queryFn: async () => {
      const page = dataOf(await api.GET("/apps/{app}/keys", { params: { path: { app }, query: { limit: 500 } } }));
      return { keys: page.keys.length, more: page.next !== null };
    },
  });
  return (
    <Part name="SDK keys" to={paths.keys(app)}>
      {data === undefined ? (
        <Text c="var(--quiet)">{NOT_KNOWN}</Text>
      ) : data.keys === 0 ? (
        <Text c="var(--quiet)">None. Sidecars need one to connect.</Text>
      ) : (
        <Text>{data.more ? `More than ${count(data.keys)} keys` : counted(data.keys, "key")}</Text>
      )}
    </Part>
  );
}

/** What new flags get, and whether a change needs a reason. */
function Defaults({ app }: { app: App }) {
  const words = defaultsInWords(app.defaults);
  return (
    <Part name="New flags">
      <Text>{words.length === 0 ? "As everywhere: off, for all users once on." : `${capital(words.join("; "))}.`}</Text>
      {app.requires_reason && <Text c="var(--quiet)">A change needs a reason.</Text>}
    </Part>
  );
}

/** What has happened last. */
function Lately({ app }: { app: string }) {
  const { data } = useQuery({
    queryKey: ["log", "latest", app],
    queryFn: async () => {
      const query = { limit: 3, hide_steps: true };
      return dataOf(await api.GET("/apps/{app}/log", { params: { path: { app }, query } })).entries;
    },
  });
  return (
    <Part name="Lately" to={paths.log(app)}>
      {data === undefined ? (
        <Text c="var(--quiet)">{NOT_KNOWN}</Text>
      ) : (
        <ul className={styles.lately}>
          {data.map((entry) => (
            <li key={entry.id}>
              {entry.sentence}{" "}
              <span>
                <Ago at={entry.at} />
              </span>
            </li>
          ))}
        </ul>
      )}
    </Part>
  );
}

const capital = (words: string) => words.charAt(0).toUpperCase() + words.slice(1);
