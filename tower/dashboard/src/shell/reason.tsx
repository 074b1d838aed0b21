import { useQueryClient } from "@tanstack/react-query";
import { createContext, lazy, type ReactNode, Suspense, useCallback, useContext, useState } from "react";
import { appQuery } from "@/features/apps/api";

const ReasonQuestion = lazy(async () => ({ default: (await import("./ReasonQuestion")).ReasonQuestion }));

/** The person did not want to give a reason, so nothing was changed. */
export class GivenUp extends Error {}

type Ask = (app: string) => Promise<string | undefined>;

const Reason = createContext<Ask | null>(null);

/**
 * Ask why something is changed, for the log, where the app wants to know. Gives undefined where it does not, and throws
 * `GivenUp` when the person closes the question.
 */
export function useReason(): Ask {
  const ask = useContext(Reason);
  if (ask === null) throw new Error("useReason is used outside of ReasonProvider");
  return ask;
}

interface Question {
  app: string;
  answer: (reason: string) => void;
  giveUp: () => void;
}

export function ReasonProvider({ children }: { children: ReactNode }) {
  const queries = useQueryClient();
  const [question, setQuestion] = useState<Question | null>(null);
  const ask = useCallback<Ask>(
    async (app) => {
      const { requires_reason } = await queries.ensureQueryData(appQuery(app));
      if (!requires_reason) return undefined;
      return new Promise<string>((answer, refuse) => {
        setQuestion({ app, answer, giveUp: () => refuse(new GivenUp("No reason was given.")) });
      });
    },
    [queries],
  );
  const close = () => {
    question?.giveUp();
    setQuestion(null);
  };
  return (
    <Reason value={ask}>
      {children}
      {question !== null && (
        <Suspense fallback={null}>
          <ReasonQuestion
            app={question.app}
            onClose={close}
            onAnswer={(reason) => {
              question.answer(reason);
              setQuestion(null);
            }}
          />
        </Suspense>
      )}
    </Reason>
  );
}
