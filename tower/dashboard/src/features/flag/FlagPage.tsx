import { useQuery } from "@tanstack/react-query";
import { Outlet, useParams } from "react-router";
import { ProblemError } from "@/api/problem";
import { useRights } from "@/api/session";
import { EmptyState, LoadingState, QueryView } from "@/components/views";
import { type Flag, flagQuery, idOf } from "@/features/flags/api";
import { useLiveNeed } from "@/live/LiveProvider";
import { paths } from "@/shell/paths";
import { LeavingHeld } from "./editing/LeavingHeld";
import { SaveBar } from "./editing/SaveBar";
import { useEditing } from "./editing/useEditing";
import { FlagHead } from "./FlagHead";
import { FlagTabs } from "./FlagTabs";
import styles from "./flag.module.css";
import { NextStep } from "./NextStep";
import { useFlagPageCommands } from "./switch/useFlagPageCommands";

/** A flag: its head, and its tabs, which share one draft. */
export function FlagPage() {
  const { app = "", flag = "" } = useParams();
  const query = useQuery(flagQuery(app, flag));
  if (query.data === undefined && query.error instanceof ProblemError && query.error.status === 404) {
    return <EmptyState title={`There is no flag ${flag} in ${app}`}>{query.error.message}</EmptyState>;
  }
  return (
    <QueryView query={query} loading={<LoadingState rows={6} height={48} />}>
      {(data) => <OneFlag key={idOf(data)} flag={data} />}
    </QueryView>
  );
}

function OneFlag({ flag }: { flag: Flag }) {
  const { mayEdit } = useRights();
  useLiveNeed({ refresh: [idOf(flag)] });
  useFlagPageCommands(flag);
  const state = useEditing(flag, !mayEdit(flag.app) || flag.archived_at !== null);
  const tabs = [paths.flag, paths.circuit, paths.flagLog, paths.flagSettings].map((path) => path(flag.app, flag.key));
  return (
    <div className={styles.pageColumn}>
      <FlagHead flag={flag} />
      <NextStep flag={flag} />
      <FlagTabs app={flag.app} flag={flag.key} state={state} />
      <div className={styles.tabBody}>
        <Outlet context={state} />
      </div>
      <SaveBar state={state} />
      <LeavingHeld
        words={state.words}
        saving={state}
        name={flag.name}
        isWithin={(pathname) => tabs.includes(pathname)}
      />
    </div>
  );
}
