/**
 * What sftdyn may touch: the one list that `deno task start` runs it with and
 * the executable is compiled with.
 */
export const PERMISSIONS = [
  "--no-prompt",
  "--allow-net",
  "--allow-read",
  "--allow-run=nsupdate",
  "--allow-env=JOURNAL_STREAM",
] as const;
