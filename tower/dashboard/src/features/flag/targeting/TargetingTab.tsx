import type { Editing } from "../editing/useEditing";

export function TargetingTab(_: { editing: Editing }) {
  return null;
}
