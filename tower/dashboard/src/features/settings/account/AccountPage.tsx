import { Stack } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useRights } from "@/api/session";
import { EmptyState, PageHead, QueryView } from "@/components/views";
import { accountQuery } from "../api";
import { NameForm } from "./NameForm";
import { PasswordForm } from "./PasswordForm";
import { Sessions } from "./Sessions";

/** The own account: name, password, and where one is logged in. */
export function AccountPage() {
  const { principal } = useRights();
  if (principal?.kind !== "user") {
    return (
      <>
        <PageHead title="Account" />
        <EmptyState title="You have no account here">
          You look by a link that ends by itself. An admin can invite you.
        </EmptyState>
      </>
    );
  }
  return <OwnAccount />;
}

function OwnAccount() {
  const account = useQuery(accountQuery);
  return (
    <>
      <PageHead title="Account" />
      <QueryView query={account}>
        {(user) => (
          <Stack gap="xl">
            <NameForm user={user} />
            <PasswordForm user={user} />
            <Sessions />
          </Stack>
        )}
      </QueryView>
    </>
  );
}
