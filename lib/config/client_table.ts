/** [clients] of the configuration. */

import { digestWords, type NewClient, type NewPrefix } from "../clients.ts";
import type { Work } from "../slices.ts";
import { CLIENT_LIMITS, readLimits } from "./client_limits.ts";
import { readPrefix } from "./client_prefix.ts";
import { ClientReader, type ClientReaderOptions } from "./client_reader.ts";
import { numberProblem, typeName } from "./settings.ts";
import { withdrawAfterOf } from "./withdraw_after.ts";
import type { Rows, TomlNode, TomlTable } from "./toml.ts";

export interface ClientTableOptions extends ClientReaderOptions {
  /** Names that belong above [clients]. */
  settings: readonly string[];
}

/** RFC 2181, section 8. */
export const TTL_RANGE = { least: 0, most: 2 ** 31 - 1, isWhole: true };
/** What a client's table may hold. */
const NAMES: readonly string[] = [
  "host",
  "ttl",
  "address",
  "prefix",
  "withdraw_after",
  ...CLIENT_LIMITS,
];

// deno-lint-ignore no-control-regex
const STRING = /"([^"\\\x00-\x1f\x7f]*)"/g;
/** `"KEY" = "HOST"` or `KEY = ["HOST", "HOST"]`: nearly every client, and TOML without a doubt. */
const PLAIN_LINE = new RegExp(
  `^(?:${STRING.source}|([A-Za-z0-9_-]+))[ \\t]*=[ \\t]*(?:${STRING.source}|` +
    `\\[[ \\t]*(${STRING.source}(?:[ \\t]*,[ \\t]*${STRING.source})*)[ \\t]*,?[ \\t]*\\])[ \\t]*(?:#.*)?\r?$`,
);

/** A client with hosts behind its router. */
export interface PrefixClient extends Pick<NewClient, "limits" | "address"> {
  readonly line: number;
  readonly prefix: NewPrefix;
}

/** Reads the clients one by one. */
export class ClientTableReader extends ClientReader implements Rows {
  readonly name = "clients";
  readonly prefixClients: PrefixClient[] = [];
  /** The shortest `withdraw_after` of a client; Infinity: none has one. */
  leastWithdrawAfter = Infinity;
  readonly #settings: readonly string[];

  constructor({ settings, ...options }: ClientTableOptions) {
    super(options, "clients: ");
    this.#settings = settings;
  }

  /** Reads what is not a row: a table in braces, or with a header of its own for each client. */
  *read(node: TomlNode | undefined): Work {
    if (node === undefined) return;
    if (!(node.value instanceof Map)) {
      return this.fault(node.line, 'expected a table: [clients], then "KEY" = "HOST"');
    }
    for (const [key, client] of node.value as TomlTable) {
      this.take(key, client);
      yield;
    }
  }

  takeLine(text: string, line: number): boolean {
    const match = PLAIN_LINE.exec(text);
    if (match === null) return false;
    const [, quoted, bare, host, hosts] = match;
    const value = host ?? Array.from(hosts!.matchAll(STRING), ([, host]) => host);
    this.take(quoted ?? bare!, { line, value });
    return true;
  }

  lineOf(name: string): number | undefined {
    return this.lineOfKey(digestWords(name));
  }

  take(key: string, { line, value }: TomlNode): void {
    if (this.#settings.includes(key)) return this.fault(line, `${key} belongs above [clients]`);
    this.add(key, line, () => this.#readClient(line, value));
  }

  #readClient(line: number, value: unknown): NewClient {
    if (!(value instanceof Map)) return { hosts: this.#readNames(line, value, undefined) };
    const table = value as TomlTable;
    const isKnown = [...table.keys()].every((name) => NAMES.includes(name));
    if (!isKnown) {
      const names = NAMES.filter((name) => name !== "host").join(", ");
      this.fault(
        line,
        `expected { host = "HOST" } and of ${names} what is needed; a key with a dot needs quotes`,
      );
    }
    const ttl = this.#readTtl(table.get("ttl"));
    const limits = readLimits(table, (line, problem) => this.fault(line, problem));
    const address = this.#readAddress(table.get("address"));
    const withdrawAfter = this.#readWithdrawAfter(table.get("withdraw_after"));
    const host = table.get("host");
    if (host === undefined && isKnown) {
      this.fault(line, 'host is missing: expected { host = "HOST" }');
    }
    const hosts = host === undefined ? [] : this.#readNames(line, host.value, ttl);
    const node = table.get("prefix");
    if (node === undefined) return { hosts, limits, address, withdrawAfter };
    const prefix = readPrefix(node, {
      client: { hosts, limits },
      readHost: (line, name, place) => this.readHosts(line, [name], ttl, place),
      onFault: (line, problem) => this.fault(line, problem),
    });
    if (prefix !== undefined) this.prefixClients.push({ line, limits, address, prefix });
    return { hosts, limits, address, prefix, withdrawAfter };
  }

  #readNames(line: number, value: unknown, ttl: number | undefined): NewClient["hosts"] {
    const names: unknown[] = Array.isArray(value) ? value : [value];
    if (names.length === 0) {
      this.fault(line, 'the list of hosts is empty: expected ["HOST", "HOST"]');
    }
    const isString = (name: unknown) => typeof name === "string";
    for (const name of names) {
      if (isString(name)) continue;
      const expected = 'expected "HOST", ["HOST", "HOST"] or { host = "HOST" }';
      this.fault(line, `${expected}, got ${typeName(name)}`);
    }
    return this.readHosts(line, names.filter(isString), ttl);
  }

  #readTtl(node: TomlNode | undefined): number | undefined {
    if (node === undefined) return undefined;
    const problem = numberProblem(node.value, TTL_RANGE);
    if (problem === undefined) return node.value as number;
    this.fault(node.line, `ttl: ${problem}`);
  }

  #readWithdrawAfter(node: TomlNode | undefined): number | undefined {
    if (node === undefined) return undefined;
    try {
      const after = withdrawAfterOf(node.value);
      this.leastWithdrawAfter = Math.min(this.leastWithdrawAfter, after);
      return after;
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      this.fault(node.line, `withdraw_after: ${error.message}`);
    }
  }

  #readAddress(node: TomlNode | undefined): NewClient["address"] {
    if (node === undefined || node.value === "connection") return undefined;
    if (node.value === "request") return node.value;
    const got = typeof node.value === "string" ? "another string" : typeName(node.value);
    this.fault(node.line, `address: expected "connection" or "request", got ${got}`);
  }
}
