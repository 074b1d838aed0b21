import { Alert, Button, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { useNavigate, useParams } from "react-router";
import { ProblemError } from "@/api/problem";
import { useRights } from "@/api/session";
import { EmptyState, PageHead, QueryView } from "@/components/views";
import { paths } from "@/shell/paths";
import { GivenUp } from "@/shell/reason";
import { AppForm } from "./AppForm";
import { type App, appQuery, useAppChanges } from "./api";
import { bodyOf, fieldsOf } from "./fields";

/** Change what an app is called and what its new flags get. */
export function EditAppPage() {
  const { app = "" } = useParams();
  return <QueryView query={useQuery(appQuery(app))}>{(found) => <Edit key={found.key} app={found} />}</QueryView>;
}

function Edit({ app }: { app: App }) {
  const navigate = useNavigate();
  const { mayAdmin } = useRights();
  const { change } = useAppChanges(app);
  /** The app that the form was begun with: others may change it meanwhile. */
  const [base, setBase] = useState(app);
  const problem = change.error instanceof ProblemError ? change.error : null;
  if (!mayAdmin(app.key)) return <EmptyState title={`Only an admin of ${app.key} can change it`} />;
  if (app.archived_at !== null) return <EmptyState title={`${app.key} is archived; restore it first`} />;
  return (
    <>
      <PageHead title={`Edit ${app.name}`} />
      {app.version !== base.version && (
        <Alert color="gray" variant="outline" mb="md" maw={720} title="Somebody has changed this app meanwhile">
          <Text mb="xs">What you have written here is not saved. Begin again with the app as it is now.</Text>
          <Button variant="default" onClick={() => setBase(app)}>
            Show it as it is now
          </Button>
        </Alert>
      )}
      <AppForm
        key={base.version}
        start={fieldsOf(base)}
        isNew={false}
        problem={problem}
        busy={change.isPending}
        submit="Save"
        onSubmit={(fields) =>
          change.mutate(
            { body: bodyOf(fields, base), version: base.version },
            {
              onSuccess: () => void navigate(paths.app(app.key)),
              onError: (error) => {
                if (error instanceof GivenUp) change.reset();
              },
            },
          )
        }
        onCancel={() => void navigate(paths.app(app.key))}
      />
    </>
  );
}
