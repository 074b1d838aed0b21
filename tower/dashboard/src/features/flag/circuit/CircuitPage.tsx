import { useFlagOutlet } from "../flagOutlet";
import { CircuitTab } from "./CircuitTab";

export function CircuitPage() {
  return <CircuitTab editing={useFlagOutlet().editing} />;
}
