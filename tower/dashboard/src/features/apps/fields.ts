import type { AppFields } from "./AppForm";
import type { App, AppChange } from "./api";
import { formDefaults, withForm } from "./defaults";

/** The form of an app as it is; of a new one, empty. */
export function fieldsOf(app: App | null): AppFields {
  return {
    key: app?.key ?? "",
    name: app?.name ?? "",
    description: app?.description ?? "",
    service: app?.service ?? "",
    environment: app?.environment ?? "",
    requiresReason: app?.requires_reason ?? false,
    defaults: formDefaults(app?.defaults ?? {}),
  };
}

/** What is sent of a form: an empty text is nothing, and an app without a name is called as its key. */
export function bodyOf(
  fields: AppFields,
  app: App | null,
): Required<Omit<AppChange, "defaults">> & Pick<AppChange, "defaults"> {
  const orNull = (text: string) => (text.trim() === "" ? null : text.trim());
  return {
    name: orNull(fields.name),
    description: fields.description,
    service: orNull(fields.service),
    environment: orNull(fields.environment),
    requires_reason: fields.requiresReason,
    defaults: withForm(app?.defaults ?? {}, fields.defaults) as AppChange["defaults"],
  };
}
