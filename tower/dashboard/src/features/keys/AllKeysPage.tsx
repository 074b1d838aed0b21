import { Anchor, Button, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { Link } from "react-router";
import { useRights } from "@/api/session";
import { counted } from "@/components/numbers";
import { EmptyState, PageHead, QueryView } from "@/components/views";
import { appsQuery } from "@/features/apps/api";
import { Row, Rows } from "@/features/settings/parts";
import { paths } from "@/shell/paths";
import { keysQuery } from "./api";

/** Of so many apps the number of keys is read; each is a request. */
const COUNTED = 30;

/** The apps, since each has keys of its own. */
export function AllKeysPage() {
  const { mayEdit } = useRights();
  const query = useQuery(appsQuery);
  return (
    <>
      <PageHead title="SDK keys">
        <Text c="var(--quiet)">
          Each app has keys of its own, which let its sidecars in. Programs that change flags use{" "}
          <Anchor component={Link} to={paths.tokens} inherit>
            API tokens
          </Anchor>{" "}
          instead.
        </Text>
      </PageHead>
      <QueryView query={query}>
        {(apps) =>
          apps.length === 0 ? (
            <EmptyState
              title="There is no app yet"
              action={
                mayEdit() && (
                  <Button component={Link} to={paths.newApp}>
                    Make an app
                  </Button>
                )
              }
            >
              SDK keys belong to an app.
            </EmptyState>
          ) : (
            <Rows>
              {apps.map(({ key, name }) => (
                <Row key={key} actions={apps.length <= COUNTED && <Count app={key} />}>
                  <Anchor component={Link} to={paths.keys(key)} fw={600}>
                    {key}
                  </Anchor>
                  {name !== key && (
                    <Text size="sm" c="var(--quiet)">
                      {name}
                    </Text>
                  )}
                </Row>
              ))}
            </Rows>
          )
        }
      </QueryView>
    </>
  );
}

function Count({ app }: { app: string }) {
  const { data } = useQuery(keysQuery(app));
  if (data === undefined) return null;
  return <Text c="var(--quiet)">{data.length === 0 ? "No key" : counted(data.length, "key")}</Text>;
}
