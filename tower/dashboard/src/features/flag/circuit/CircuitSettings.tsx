import type { Form } from "../editing/useEditing";

export function CircuitSettings(_: { editing: Form }) {
  return null;
}
