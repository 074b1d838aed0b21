import type { Editing } from "../editing/useEditing";

export function CircuitTab(_: { editing: Editing }) {
  return null;
}
