/** What a line of the log is about, for programs that read it: names that stay as they are. */

/** Every event, as the manual page explains them. */
export const EVENTS = [
  "changed",
  "change_failed",
  "unknown_key",
  "address_refused",
  "proxy_fault",
  "connection_limit",
  "port_fault",
  "internal_error",
  "held_back",
  "hook_failed",
  "hook_restarted",
  "hook_printed",
  "listening",
  "stopping",
  "start_failed",
  "no_clients",
  "reloaded",
  "reload_failed",
  "clients_fault",
  "certificate_renewed",
  "certificate_fault",
  "certificate_expiry",
  "debug",
] as const;

export interface LogEvent {
  readonly event: typeof EVENTS[number];
  readonly host?: string;
  /** "A" or "AAAA". */
  readonly type?: string;
  /** The address that it had, "none", or "?" where that is not known. */
  readonly old?: string;
  /** The address that it has or is to have, or "none". */
  readonly new?: string;
  readonly result?: "OK" | "FAIL";
  /** Where a request or a connection came from. */
  readonly address?: string | undefined;
  /** The first digits of the SHA-256 of a key. */
  readonly key?: string;
  /** For how many lines this one stands. */
  readonly count?: number;
}
