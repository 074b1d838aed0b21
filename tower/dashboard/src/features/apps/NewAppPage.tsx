import { useNavigate } from "react-router";
import { ProblemError } from "@/api/problem";
import { useRights } from "@/api/session";
import { EmptyState, PageHead } from "@/components/views";
import { paths } from "@/shell/paths";
import { AppForm } from "./AppForm";
import { useNewApp } from "./api";
import { bodyOf, fieldsOf } from "./fields";

/** Make an app: what flags, keys and sidecars belong to. */
export function NewAppPage() {
  const navigate = useNavigate();
  const make = useNewApp();
  const { mayAdmin } = useRights();
  if (!mayAdmin()) {
    return (
      <EmptyState title="Only an admin can make an app">Ask one of yours; an app takes a minute to make.</EmptyState>
    );
  }
  return (
    <>
      <PageHead title="New app">
        An app is what flags belong to: a service in one environment, such as shop in production.
      </PageHead>
      <AppForm
        start={fieldsOf(null)}
        isNew
        problem={make.error instanceof ProblemError ? make.error : null}
        busy={make.isPending}
        submit="Make the app"
        onSubmit={(fields) =>
          make.mutate(
            { ...bodyOf(fields, null), key: fields.key },
            { onSuccess: (app) => void navigate(paths.app(app.key)) },
          )
        }
        onCancel={() => void navigate(paths.apps)}
      />
    </>
  );
}
