import { Badge, Group, Text, Title } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { api } from "@/api/client";
import { Ago, Moment } from "@/components/Moment";
import { exactSpan } from "@/components/numbers";
import { PageHead, QueryView } from "@/components/views";
import { linksQuery, useDoing, type ViewerLink } from "../api";
import { Consequence, ForAdmins, Row, Rows } from "../parts";
import { LinkForm } from "./LinkForm";

export function LinksPage() {
  return (
    <>
      <PageHead title="Viewer links">
        <Text c="var(--quiet)">
          A link lets one person look, without an account: it opens one session that cannot change anything.
        </Text>
      </PageHead>
      <ForAdmins>
        <LinkForm />
        <Links />
      </ForAdmins>
    </>
  );
}

function Links() {
  const links = useQuery(linksQuery);
  const withdraw = useDoing(
    async (link: string) => api.DELETE("/links/{link}", { params: { path: { link } } }),
    "links",
  );
  return (
    <QueryView query={links}>
      {(all) => (
        <section aria-label="Links">
          <Title order={2} mb="sm">
            Links
          </Title>
          {all.length === 0 ? (
            <Text c="var(--quiet)">There is no link that still works.</Text>
          ) : (
            <Rows>
              {all.map((link) => (
                <Row
                  key={link.id}
                  actions={
                    <Consequence
                      name="Withdraw"
                      label={`Withdraw ${link.name}`}
                      title={`Withdraw ${link.name}`}
                      words={
                        link.used_at === null
                          ? "The link stops working. A new one can be made."
                          : "The session that it has opened ends at once."
                      }
                      act={() => withdraw.mutateAsync(link.id)}
                    />
                  }
                >
                  <LinkLine link={link} />
                </Row>
              ))}
            </Rows>
          )}
        </section>
      )}
    </QueryView>
  );
}

function LinkLine({ link }: { link: ViewerLink }) {
  return (
    <>
      <Group gap="xs">
        <Text fw={600}>{link.name}</Text>
        {link.used_at !== null && (
          <Badge variant="outline" color="gray" tt="none">
            Used
          </Badge>
        )}
      </Group>
      <Text size="sm" c="var(--quiet)">
        Shows {link.app ?? "all apps"} for {exactSpan(link.session_s * 1000)} · made by {link.made_by}{" "}
        <Ago at={link.created_at} />;{" "}
        {link.used_at === null ? (
          <>
            works until <Moment at={link.expires_at} />
          </>
        ) : (
          <>
            used <Ago at={link.used_at} /> from {link.used_from}
          </>
        )}
      </Text>
    </>
  );
}
