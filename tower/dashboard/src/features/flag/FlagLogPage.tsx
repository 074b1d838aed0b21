import { FlagLog } from "@/features/log/FlagLog";
import { useFlagOutlet } from "./flagOutlet";

export function FlagLogPage() {
  return <FlagLog flag={useFlagOutlet().editing.saved} />;
}
