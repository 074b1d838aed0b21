import { useDebouncedValue } from "@mantine/hooks";
import { useQuery } from "@tanstack/react-query";
import { api, dataOf } from "@/api/client";
import { keyProblem } from "./flagKey";

const PAUSE_MS = 250;

/** Whether the app already has a flag with a key; null while that is not known, or the key cannot be one. */
export function useKeyTaken(app: string, key: string): boolean | null {
  const [asked] = useDebouncedValue(key, PAUSE_MS);
  const { data } = useQuery({
    queryKey: ["flag", app, asked, "taken"],
    // A search, because a browser calls it an error when a single flag is not there.
    queryFn: async () => {
      const query = { q: asked, archived: "all", limit: 500 } as const;
      const { flags } = dataOf(await api.GET("/apps/{app}/flags", { params: { path: { app }, query } }));
      return flags.some(({ key: found }) => found === asked);
    },
    enabled: keyProblem(asked) === null,
    staleTime: 5_000,
    retry: false,
  });
  return asked === key ? (data ?? null) : null;
}
