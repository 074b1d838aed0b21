import { Alert, Button, Divider, PasswordInput, Stack, Text, TextInput } from "@mantine/core";
import { IconAlertCircle } from "@tabler/icons-react";
import { useMutation } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { api, dataOf } from "@/api/client";
import { serverClock } from "@/api/clock";
import type { Session } from "@/api/session";
import { Moment } from "@/components/Moment";
import { roughSpan } from "@/components/numbers";
import { useNow } from "@/components/times";
import { providerUrl } from "./next";
import { type Refusal, refusalOf } from "./refusal";

interface Props {
  ways: Session["log_in"];
  /** Where the provider leads back to. */
  next: string;
  /** Whether the provider's page opens in a tab of its own, so that this page keeps what is not saved yet. */
  keepPage?: boolean;
  email?: string;
  opened: (session: Session) => void;
}

/** Log in with e-mail address and password, or at the provider. */
export function LoginForm({ ways, next, keepPage = false, email: known = "", opened }: Props) {
  const [email, setEmail] = useState(known);
  const [password, setPassword] = useState("");
  const [refusal, setRefusal] = useState<Refusal | null>(null);
  const nowMs = useNow();
  const logIn = useMutation({
    mutationFn: async () => dataOf(await api.POST("/session", { body: { email: email.trim(), password } })),
    onSuccess: opened,
    onError: (error) => setRefusal(refusalOf(error, serverClock.now())),
  });
  const waiting = refusal?.untilMs != null && refusal.untilMs > nowMs;
  const submit = (event: FormEvent) => {
    event.preventDefault();
    setRefusal(null);
    logIn.mutate();
  };
  return (
    <Stack gap="md">
      {ways.oidc !== null && (
        <Button
          component="a"
          size="md"
          variant={ways.password ? "default" : "filled"}
          href={providerUrl(ways.oidc.url, next)}
          {...(keepPage ? { target: "_blank", rel: "noopener" } : {})}
        >
          Log in with {ways.oidc.name}
        </Button>
      )}
      {ways.oidc !== null && ways.password && <Divider label="or" />}
      {ways.password && (
        <form onSubmit={submit}>
          <Stack gap="sm">
            <TextInput
              label="E-mail address"
              name="email"
              type="email"
              size="md"
              autoComplete="username"
              autoCapitalize="none"
              spellCheck={false}
              required
              withAsterisk={false}
              data-autofocus={known === "" || undefined}
              autoFocus={known === "" && !keepPage}
              value={email}
              onChange={(event) => setEmail(event.currentTarget.value)}
            />
            <PasswordInput
              label="Password"
              name="password"
              size="md"
              autoComplete="current-password"
              required
              withAsterisk={false}
              data-autofocus={known !== "" || undefined}
              value={password}
              onChange={(event) => setPassword(event.currentTarget.value)}
            />
            {refusal !== null && (
              <Alert color="gray" variant="outline" icon={<IconAlertCircle />} role="alert">
                {refusal.sentence}
                {refusal.untilMs !== null && (
                  <>
                    {" "}
                    {waiting ? (
                      <>
                        Try again in {roughSpan(refusal.untilMs - nowMs, true)}, at <Moment at={refusal.untilMs} />
                        {ways.oidc === null ? "." : `, or log in with ${ways.oidc.name}.`}
                      </>
                    ) : (
                      "You can try again now."
                    )}
                  </>
                )}
              </Alert>
            )}
            <Button type="submit" size="md" loading={logIn.isPending} disabled={waiting}>
              Log in
            </Button>
          </Stack>
        </form>
      )}
    </Stack>
  );
}

/** What those can do who have no account, or cannot get into theirs. */
export function WaysIn() {
  return (
    <Stack gap={4}>
      <Text size="sm" c="var(--quiet)">
        <b>No account?</b> An admin invites you and sends you a link.
      </Text>
      <Text size="sm" c="var(--quiet)">
        <b>Password forgotten?</b> An admin makes a link for a new one.
      </Text>
      <Text size="sm" c="var(--quiet)">
        <b>Nobody can get in?</b> On Tower's machine, <code>tailslide admin-link</code> prints a link that makes an
        admin.
      </Text>
      <Text size="sm" c="var(--quiet)">
        <b>A new Tower?</b> It printed a link for the first admin when it started.
      </Text>
    </Stack>
  );
}
