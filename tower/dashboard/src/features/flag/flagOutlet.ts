import { useOutletContext } from "react-router";
import type { EditingState } from "./editing/useEditing";

/** What the tabs of a flag get from its page. */
export function useFlagOutlet(): EditingState {
  return useOutletContext<EditingState>();
}
