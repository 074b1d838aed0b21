import { Select } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useNavigate, useParams } from "react-router";
import { useRights } from "@/api/session";
import { EmptyState, PageHead, QueryView } from "@/components/views";
import { type App, appQuery, appsQuery } from "@/features/apps/api";
import { paths } from "@/shell/paths";
import { FlagForm } from "./FlagForm";
import { newDraft } from "./newFlag";

/** A new flag of an app. */
export function NewFlagPage() {
  const { app = "" } = useParams();
  const query = useQuery(appQuery(app));
  const { mayEdit, principal } = useRights();
  return (
    <>
      <PageHead title={`New flag in ${app}`} />
      {mayEdit(app) ? (
        <QueryView query={query}>
          {(data) => <FlagForm key={data.key} app={data} initial={newDraft(data, principal?.name ?? null)} />}
        </QueryView>
      ) : (
        <EmptyState title="You may not make flags here">That takes the role of an editor of {app}.</EmptyState>
      )}
    </>
  );
}

/** A new flag, of which the app is still to be chosen. */
export function NewFlagAnywherePage() {
  const query = useQuery(appsQuery);
  const { mayEdit } = useRights();
  const navigate = useNavigate();
  return (
    <>
      <PageHead title="New flag" />
      <QueryView query={query}>
        {(apps) => {
          const own = apps.filter(({ key }) => mayEdit(key));
          return own.length === 0 ? (
            <EmptyState title="You may not make flags in any app">That takes the role of an editor.</EmptyState>
          ) : (
            <AppChoice apps={own} app={null} choose={(app) => void navigate(paths.newFlag(app), { replace: true })} />
          );
        }}
      </QueryView>
    </>
  );
}

/** In which app a flag is made. */
export function AppChoice({ apps, app, choose }: { apps: App[]; app: string | null; choose: (app: string) => void }) {
  return (
    <Select
      maw={640}
      label="App"
      description="A flag belongs to one app; the app's sidecars answer for it."
      placeholder="Choose an app"
      searchable
      allowDeselect={false}
      data={apps.map(({ key, environment }) => ({
        value: key,
        label: environment === null ? key : `${key} (${environment})`,
      }))}
      value={app}
      onChange={(chosen) => chosen !== null && choose(chosen)}
    />
  );
}
