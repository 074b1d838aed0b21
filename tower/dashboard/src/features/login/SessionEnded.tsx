import { Modal, Stack, Text } from "@mantine/core";
import { useQueryClient } from "@tanstack/react-query";
import { useEffect } from "react";
import { useLocation } from "react-router";
import { type Principal, type Session, sessionOpened, sessionQuery } from "@/api/session";
import { LoginForm } from "./LoginForm";

/**
 * Asks to log in again over the page, which stays as it is with everything that is not saved yet. `was` is who was
 * logged in. Somebody who logs in in another tab, or at the provider, is noticed on coming back to this one.
 */
export function SessionEnded({ was, session }: { was: Principal; session: Session }) {
  const queries = useQueryClient();
  const { pathname, search, hash } = useLocation();
  useEffect(() => {
    const look = () => {
      if (document.visibilityState === "visible") void queries.invalidateQueries({ queryKey: sessionQuery.queryKey });
    };
    window.addEventListener("focus", look);
    document.addEventListener("visibilitychange", look);
    return () => {
      window.removeEventListener("focus", look);
      document.removeEventListener("visibilitychange", look);
    };
  }, [queries]);
  return (
    <Modal
      opened
      onClose={() => undefined}
      withCloseButton={false}
      closeOnEscape={false}
      closeOnClickOutside={false}
      centered
      title="Your session has ended"
    >
      <Stack>
        <Text>
          {was.kind === "user"
            ? "Log in again to go on. What you have not saved is still here."
            : "The link that you came with has ended. Log in with an account, or open a new link."}
        </Text>
        <LoginForm
          ways={session.log_in}
          next={pathname + search + hash}
          keepPage
          email={was.name.includes("@") ? was.name : ""}
          opened={(opened) => sessionOpened(queries, opened)}
        />
      </Stack>
    </Modal>
  );
}
