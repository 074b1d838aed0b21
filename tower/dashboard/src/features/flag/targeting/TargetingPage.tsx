import { useFlagOutlet } from "../flagOutlet";
import { TargetingTab } from "./TargetingTab";

export function TargetingPage() {
  return <TargetingTab editing={useFlagOutlet().editing} />;
}
