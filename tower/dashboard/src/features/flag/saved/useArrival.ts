import { useQuery } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import type { Schemas } from "@/api/client";
import { type Flag, flagQuery } from "@/features/flags/api";

/** How long sidecars may take before those that have not got a change are named. */
const PATIENCE_MS = 4_000;

export interface Arrival {
  /** Where the change has got to, in words. */
  words: string;
  /** Sidecars without it, once it has taken too long. */
  missing: Schemas["MissingOut"][];
  /** Whether there is nothing more to wait for. */
  complete: boolean;
  /** Whether somebody has changed the flag again, so that the change cannot be followed any further. */
  superseded: boolean;
}

/** Follow the arrival of a change in the sidecars; `saved` is the flag as the change has made it. */
export function useArrival(saved: Flag): Arrival {
  const { data } = useQuery({ ...flagQuery(saved.app, saved.key), initialData: saved });
  const [late, setLate] = useState(false);
  useEffect(() => {
    const timer = setTimeout(() => setLate(true), PATIENCE_MS);
    return () => clearTimeout(timer);
  }, []);
  const flag = data.version < saved.version ? saved : data;
  const { arrived, of, missing } = flag.state.arrived;
  const complete = flag.state.published === true && arrived === of;
  return {
    words: arrivalInWords(flag),
    missing: late ? missing : [],
    complete,
    superseded: flag.version > saved.version,
  };
}

/** `arrived in 11 of 12`; or why it is on no sidecar yet. */
export function arrivalInWords({ archived_at, state: { arrived, published } }: Flag): string {
  if (published === false) return "not published yet; sidecars get it as soon as NATS is back";
  if (archived_at !== null) return "sidecars do not get it any more";
  if (arrived.of === 0) return "no sidecar is running";
  return `arrived in ${arrived.arrived} of ${arrived.of}`;
}

/** Why a sidecar has not got a change. */
export function whyMissing({ why }: Schemas["MissingOut"]): string {
  switch (why) {
    case "silent":
      return "nothing is heard from it";
    case "behind":
      return "it has an older version";
    case "refused":
      return "it could not read the flag";
  }
}
