/**
 * The paths of pages that other pages link to. Keys need no encoding: they are letters, digits, `.`, `_` and `-`. What
 * makes something new has a path that no key can be taken for.
 */
export const paths = {
  app: (app: string) => `/apps/${app}`,
  flag: (app: string, flag: string) => `/apps/${app}/flags/${flag}`,
  circuit: (app: string, flag: string) => `/apps/${app}/flags/${flag}/circuit`,
  flagLog: (app: string, flag: string) => `/apps/${app}/flags/${flag}/log`,
  flagSettings: (app: string, flag: string) => `/apps/${app}/flags/${flag}/settings`,
  newFlag: (app: string | null) => (app === null ? "/new-flag" : `/apps/${app}/new-flag`),
  duplicateFlag: (app: string, flag: string) => `/apps/${app}/flags/${flag}/duplicate`,
  segment: (app: string, segment: string) => `/apps/${app}/segments/${segment}`,
  newSegment: (app: string) => `/apps/${app}/new-segment`,
  sidecars: (app: string) => `/apps/${app}/sidecars`,
  keys: (app: string) => `/apps/${app}/keys`,
  log: (app: string | null) => (app === null ? "/log" : `/apps/${app}/log`),
  logEntry: (entry: number) => `/log/${entry}`,
  alerts: (app: string | null) => (app === null ? "/alerts" : `/apps/${app}/alerts`),
  webhook: (webhook: string) => `/alerts/${webhook}`,
  newWebhook: (app: string | null) => (app === null ? "/new-webhook" : `/apps/${app}/new-webhook`),
  apps: "/apps",
  newApp: "/new-app",
  editApp: (app: string) => `/apps/${app}/edit`,
  account: "/settings/account",
  users: "/settings/users",
  tokens: "/settings/tokens",
  welcome: "/welcome",
} as const;
