import { Alert, Button, Stack, Text } from "@mantine/core";
import { CopyText, Snippet } from "@/components/Copy";
import type { NewToken } from "./api";

/** A token that was made or rotated just now: shown this once, with a request to try it. */
export function TokenOnce({ token, done }: { token: NewToken; done: () => void }) {
  return (
    <Alert color="accent" variant="light" title={`The token ${token.name}, shown this once`} role="status">
      <Stack gap="xs">
        <Text>It cannot be shown again: copy it now.</Text>
        <CopyText value={token.token} what="the token" />
        <Text>To try it, and for the command line:</Text>
        <Snippet
          what="the commands"
          code={`export TAILSLIDE_TOWER_URL=${window.location.origin}
export TAILSLIDE_API_TOKEN=${token.token}
curl "$TAILSLIDE_TOWER_URL/api/v1/flags" -H "Authorization: Bearer $TAILSLIDE_API_TOKEN"
tailslide status`}
        />
        <Button size="xs" variant="default" w="fit-content" onClick={done}>
          I have it
        </Button>
      </Stack>
    </Alert>
  );
}
