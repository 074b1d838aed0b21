import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { useParams } from "react-router";
import { useRights } from "@/api/session";
import { LoadingState, PageHead, QueryView } from "@/components/views";
import { appQuery, appsQuery } from "@/features/apps/api";
import { type Flag, flagQuery } from "@/features/flags/api";
import { FlagForm } from "./FlagForm";
import { AppChoice } from "./NewFlagPage";
import { copyOf } from "./newFlag";

/** A copy of a flag, under another key or in another app. */
export function DuplicatePage() {
  const { app = "", flag = "" } = useParams();
  const query = useQuery(flagQuery(app, flag));
  return (
    <>
      <PageHead title={`Duplicate ${flag}`} />
      <QueryView query={query}>{(data) => <Copy key={`${data.app}.${data.key}`} flag={data} />}</QueryView>
    </>
  );
}

function Copy({ flag }: { flag: Flag }) {
  const { mayEdit } = useRights();
  const apps = (useQuery(appsQuery).data ?? []).filter(({ key }) => mayEdit(key));
  const [into, setInto] = useState(mayEdit(flag.app) ? flag.app : (apps[0]?.key ?? flag.app));
  const { data: app } = useQuery(appQuery(into));
  // The flag may change while its copy is thought about: the copy is of what it was when that began.
  const [initial] = useState(() => copyOf(flag));
  if (app === undefined) return <LoadingState />;
  return (
    <FlagForm
      app={app}
      initial={initial}
      initialKey={into === flag.app ? `${flag.key}-copy` : flag.key}
      appChoice={<AppChoice apps={apps} app={into} choose={setInto} />}
    />
  );
}
