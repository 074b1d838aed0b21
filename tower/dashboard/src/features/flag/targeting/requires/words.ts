import type { Schemas } from "@/api/client";

export type Requirement = Schemas["RequirementFields"];

/** `new-checkout gives on or green`; without variants, any but that flag's off variant. */
export function requirementInWords({ flag, variants }: Requirement, offVariant: string | null): string {
  if (variants == null || variants.length === 0) {
    return `${flag} gives any variant except ${offVariant ?? "its off variant"}`;
  }
  return `${flag} gives ${variants.length > 1 ? `${variants.slice(0, -1).join(", ")} or ${variants.at(-1)}` : variants[0]}`;
}
