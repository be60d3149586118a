/**
 * What a module of hooks for sftdyn may export: types for editors. Beside the
 * module, and with `// @ts-check` as its first line, they are used so:
 *
 *     /** @type {import("./sftdyn-hooks.d.ts").GetHost} *\/
 *     export function getHost(key, ip) {
 */

type Nothing = null | undefined | void;
type Eventually<T> = T | Promise<T>;

/**
 * The address that is meant by a request; nothing if sftdyn's own rules decide.
 *
 * @param sourceIp the address of the connection's other end
 * @param key as it was sent; "" if there is none
 */
export type GetIp = (
  sourceIp: string,
  headers: Headers,
  key: string,
) => Eventually<string | Nothing>;

/**
 * The host, or the hosts, of whoever has this key; nothing if [clients] decides, or
 * nobody has it.
 *
 * @param key as it was sent
 * @param ip the address that will be set
 */
export type GetHost = (
  key: string,
  ip: string,
) => Eventually<string | readonly string[] | Nothing>;

/**
 * The lines for nsupdate that set the address: "update add …", "update delete …" and
 * "prereq …". They go as one message, which sftdyn sends. Nothing for its own.
 *
 * @param ip an IPv4 address for an A record, an IPv6 address for an AAAA record
 */
export type NsupdateCommands = (
  host: string,
  ip: string,
  headers: Headers,
) => Eventually<readonly string[] | Nothing>;

/** The module: at least one of them. */
export interface Hooks {
  getIp?: GetIp;
  getHost?: GetHost;
  nsupdateCommands?: NsupdateCommands;
}
