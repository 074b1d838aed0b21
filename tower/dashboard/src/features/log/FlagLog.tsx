import type { Flag } from "@/features/flags/api";

export function FlagLog(_: { flag: Flag }) {
  return null;
}
