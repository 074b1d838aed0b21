/** The Slack address that is told of this flag. `flag` is null while the flag is still being made. */
export function SlackAddress(_: { app: string; flag: string | null }) {
  return null;
}
