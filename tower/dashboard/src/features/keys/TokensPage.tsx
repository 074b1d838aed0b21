import { SegmentedControl, Stack, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { useRights } from "@/api/session";
import { Ago, Moment } from "@/components/Moment";
import { useNow } from "@/components/times";
import { EmptyState, PageHead, QueryView } from "@/components/views";
import { Consequence, Row, Rows } from "@/features/settings/parts";
import { rolesInWords } from "@/features/settings/roles";
import { type NewToken, type Token, tokensQuery, useTokenChanges } from "./api";
import { Rotate } from "./Rotate";
import { TokenForm } from "./TokenForm";
import { TokenOnce } from "./TokenOnce";

/** API tokens: for scripts, CI and the command line. */
export function TokensPage() {
  const { principal, mayAdmin } = useRights();
  const admin = mayAdmin();
  const person = principal?.kind === "user";
  const [all, setAll] = useState(admin && !person);
  const [made, setMade] = useState<NewToken | null>(null);
  return (
    <>
      <PageHead title="API tokens">
        <Text c="var(--quiet)">A script, CI or the command line shows a token to use the API.</Text>
      </PageHead>
      <Stack gap="lg">
        {(person || admin) && <TokenForm made={setMade} />}
        {made !== null && <TokenOnce token={made} done={() => setMade(null)} />}
        {admin && person && (
          <SegmentedControl
            aria-label="Whose tokens"
            size="xs"
            w="fit-content"
            data={[
              { value: "mine", label: "Yours" },
              { value: "all", label: "Everybody's" },
            ]}
            value={all ? "all" : "mine"}
            onChange={(choice) => setAll(choice === "all")}
          />
        )}
        <Tokens mine={!all} rotated={setMade} />
      </Stack>
    </>
  );
}

function Tokens({ mine, rotated }: { mine: boolean; rotated: (token: NewToken) => void }) {
  const query = useQuery(tokensQuery(mine));
  const { revoke } = useTokenChanges();
  return (
    <QueryView query={query}>
      {(tokens) =>
        tokens.length === 0 ? (
          <EmptyState title={mine ? "You have no API token" : "There is no API token"}>
            A token has at most the rights of whoever makes it.
          </EmptyState>
        ) : (
          <Rows>
            {tokens.map((token) => (
              <Row
                key={token.id}
                actions={
                  <>
                    <Rotate token={token} rotated={rotated} />
                    <Consequence
                      name="Revoke"
                      label={`Revoke ${token.name}`}
                      title={`Revoke ${token.name}`}
                      words="Programs that use it are refused from their next request on. It cannot be brought back."
                      act={() => revoke.mutateAsync(token.id)}
                    />
                  </>
                }
              >
                <TokenLine token={token} />
              </Row>
            ))}
          </Rows>
        )
      }
    </QueryView>
  );
}

function TokenLine({ token }: { token: Token }) {
  const nowMs = useNow();
  const { owner, made_by, expires_at, last_used_at, last_used_from, previous_until } = token;
  const expired = expires_at !== null && Date.parse(expires_at) <= nowMs;
  return (
    <>
      <Text fw={600}>{token.name}</Text>
      <Text size="sm">{rolesInWords(token)}</Text>
      <Text size="sm" c="var(--quiet)">
        {owner === null ? "Shared, made by" : "Of"} {owner?.email ?? made_by}, made <Ago at={token.created_at} />.{" "}
        {last_used_at === null ? (
          "Not used yet."
        ) : (
          <>
            Last used <Ago at={last_used_at} />
            {last_used_from !== null && ` from ${last_used_from}`}.
          </>
        )}{" "}
        {expires_at === null ? (
          "It does not expire."
        ) : (
          <>
            {expired ? "It expired" : "It expires"} <Moment at={expires_at} />.
          </>
        )}
        {previous_until !== null && Date.parse(previous_until) > nowMs && (
          <>
            {" "}
            Its old secret works until <Moment at={previous_until} />.
          </>
        )}
      </Text>
    </>
  );
}
