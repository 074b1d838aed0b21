import { Alert, Box, Center, Group, Loader, Paper, Stack, Title } from "@mantine/core";
import { IconAlertCircle } from "@tabler/icons-react";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect } from "react";
import { Navigate, useLocation } from "react-router";
import { sessionOpened, sessionQuery } from "@/api/session";
import { ErrorState } from "@/components/views";
import { LoginForm, WaysIn } from "./LoginForm";
import { nextPath } from "./next";
import { providerProblem } from "./providerProblem";

/** The log-in. It leads on to `next`, and those who are logged in at once. */
export function LoginPage() {
  const session = useQuery(sessionQuery);
  const queries = useQueryClient();
  const { search } = useLocation();
  const next = nextPath(search);
  const problem = providerProblem(search);
  useEffect(() => {
    document.title = "Log in · Tailslide";
  }, []);
  if (session.data?.principal) return <Navigate to={next} replace />;
  return (
    <Center mih="100dvh" p="md" component="main">
      <Box w="100%" maw={400}>
        <Group gap="xs" justify="center" mb="lg">
          <img src="/favicon.svg" alt="" width={28} height={28} />
          <Title order={1}>Log in to Tailslide</Title>
        </Group>
        {session.data === undefined ? (
          session.isError ? (
            <ErrorState error={session.error} retry={() => void session.refetch()} />
          ) : (
            <Center>
              <Loader aria-label="Loading" />
            </Center>
          )
        ) : (
          <Stack gap="lg">
            {problem !== null && (
              <Alert color="gray" variant="outline" icon={<IconAlertCircle />} role="alert">
                {problem}
              </Alert>
            )}
            <Paper withBorder p="lg" radius="md" bg="var(--surface)">
              <LoginForm ways={session.data.log_in} next={next} opened={(opened) => sessionOpened(queries, opened)} />
            </Paper>
            <WaysIn />
          </Stack>
        )}
      </Box>
    </Center>
  );
}
