import { Button, Text, Title } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { api } from "@/api/client";
import { Ago, Moment } from "@/components/Moment";
import { PageHead, QueryView } from "@/components/views";
import { invitationsQuery, useDoing } from "../api";
import { ForAdmins, Refused, Row, Rows } from "../parts";
import { rolesInWords } from "../roles";
import { InviteForm } from "./InviteForm";

export function InvitationsPage() {
  return (
    <>
      <PageHead title="Invitations">
        <Text c="var(--quiet)">
          Somebody with an invitation makes an account of their own. Tower sends no mail: pass the link on yourself.
        </Text>
      </PageHead>
      <ForAdmins>
        <InviteForm />
        <Pending />
      </ForAdmins>
    </>
  );
}

/** Invitations, and links for new passwords, that were not used yet. */
function Pending() {
  const invitations = useQuery(invitationsQuery);
  const withdraw = useDoing(
    async (invitation: string) => api.DELETE("/invitations/{invitation}", { params: { path: { invitation } } }),
    "invitations",
  );
  return (
    <QueryView query={invitations}>
      {(all) => (
        <section aria-label="Not used yet">
          <Title order={2} mb="sm">
            Not used yet
          </Title>
          <Refused error={withdraw.error} />
          {all.length === 0 ? (
            <Text c="var(--quiet)">No link is waiting to be used.</Text>
          ) : (
            <Rows>
              {all.map((each) => (
                <Row
                  key={each.id}
                  actions={
                    <Button
                      size="xs"
                      variant="default"
                      aria-label={`Withdraw the link of ${each.email}`}
                      onClick={() => withdraw.mutate(each.id)}
                    >
                      Withdraw
                    </Button>
                  }
                >
                  <Text fw={600}>{each.email}</Text>
                  <Text size="sm" c="var(--quiet)">
                    {each.user === null ? rolesInWords(each) : "For a new password"} · made by {each.made_by}{" "}
                    <Ago at={each.created_at} />, works until <Moment at={each.expires_at} />
                  </Text>
                </Row>
              ))}
            </Rows>
          )}
        </section>
      )}
    </QueryView>
  );
}
