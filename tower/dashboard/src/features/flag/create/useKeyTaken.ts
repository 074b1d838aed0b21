import { useDebouncedValue } from "@mantine/hooks";
import { useQuery } from "@tanstack/react-query";
import { api } from "@/api/client";
import { ProblemError } from "@/api/problem";
import { keyProblem } from "./flagKey";

const PAUSE_MS = 250;

/** Whether the app already has a flag with a key; null while that is not known, or the key cannot be one. */
export function useKeyTaken(app: string, key: string): boolean | null {
  const [asked] = useDebouncedValue(key, PAUSE_MS);
  const { data } = useQuery({
    queryKey: ["flag", app, asked, "taken"],
    queryFn: async () => {
      try {
        await api.GET("/apps/{app}/flags/{flag}", { params: { path: { app, flag: asked } } });
        return true;
      } catch (error) {
        if (error instanceof ProblemError && error.status === 404) return false;
        throw error;
      }
    },
    enabled: keyProblem(asked) === null,
    staleTime: 5_000,
    retry: false,
  });
  return asked === key ? (data ?? null) : null;
}
