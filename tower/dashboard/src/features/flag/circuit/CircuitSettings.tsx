import type { Editing } from "../editing/useEditing";

export function CircuitSettings(_: { editing: Editing }) {
  return null;
}
