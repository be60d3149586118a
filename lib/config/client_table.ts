/** [clients] of the configuration: who has which key, and which hosts it may set. */

import {
  type Client,
  Clients,
  digest,
  type Host,
  type KeyDigest,
  parseDigest,
} from "../clients.ts";
import { errorMessage } from "../error_message.ts";
import { type Hostname, parseHostname } from "../hostname.ts";
import { type Faults, numberProblem, typeName } from "./settings.ts";
import type { TomlNode, TomlTable } from "./toml.ts";

export interface ClientTable {
  readonly clients: Clients;
  /** Lines whose keys have fewer than 16 characters. */
  readonly shortKeys: readonly number[];
  /** Lines whose keys look like a whole URL. */
  readonly urlKeys: readonly number[];
  /** Whether a key itself, not only its digest, stands in the file. */
  readonly plainKeys: boolean;
}

export interface ClientTableOptions {
  faults: Faults;
  /** Names that belong above [clients]. */
  settings: readonly string[];
  /** The TTL of a host whose client has none of its own; seconds. */
  ttlOf: (name: Hostname) => number;
}

/** RFC 2181, section 8. */
export const TTL_RANGE = { least: 0, most: 2 ** 31 - 1, isWhole: true };
const SHORT_KEY = 16;

/** Reads the table; what is at fault is missing in it. */
export function readClientTable(
  node: TomlNode | undefined,
  options: ClientTableOptions,
): ClientTable {
  const reader = new Reader(options);
  if (node === undefined) return reader;
  if (node.value instanceof Map) {
    for (const [key, client] of node.value as TomlTable) reader.read(key, client);
  } else {
    options.faults.add(node.line, 'clients: expected a table: [clients], then "KEY" = "HOST"');
  }
  return reader;
}

// No fault of a client repeats any of its text: key and host may be swapped.
class Reader implements ClientTable {
  readonly clients = new Clients();
  readonly shortKeys: number[] = [];
  readonly urlKeys: number[] = [];
  plainKeys = false;
  readonly #lines = new Map<KeyDigest, number>();
  readonly #options: ClientTableOptions;

  constructor(options: ClientTableOptions) {
    this.#options = options;
  }

  read(key: string, { line, value }: TomlNode): void {
    if (this.#options.settings.includes(key)) {
      return this.#fault(line, `${key} belongs above [clients]`);
    }
    const keyDigest = this.#readKey(key, line);
    const client = this.#readClient(line, value);
    if (keyDigest === undefined || client === undefined) return;
    if (this.clients.add(keyDigest, client)) this.#lines.set(keyDigest, line);
    else this.#fault(line, `this key is already in line ${this.#lines.get(keyDigest)}`);
  }

  #fault(line: number, problem: string): void {
    this.#options.faults.add(line, `clients: ${problem}`);
  }

  #readClient(line: number, value: unknown): Client | undefined {
    if (!(value instanceof Map)) return { hosts: this.#readHosts(line, value, undefined) };
    const table = value as TomlTable;
    const isKnown = [...table.keys()].every((name) => name === "host" || name === "ttl");
    if (!isKnown) {
      this.#fault(line, 'expected { host = "HOST", ttl = SECONDS }; a key with a dot needs quotes');
    }
    const ttl = this.#readTtl(table.get("ttl"));
    const host = table.get("host");
    if (host !== undefined) return { hosts: this.#readHosts(line, host.value, ttl) };
    if (isKnown) this.#fault(line, 'host is missing: expected { host = "HOST" }');
  }

  #readHosts(line: number, value: unknown, ttl: number | undefined): Host[] {
    const names: unknown[] = Array.isArray(value) ? value : [value];
    if (names.length === 0) {
      this.#fault(line, 'the list of hosts is empty: expected ["HOST", "HOST"]');
    }
    const hosts = new Map<Hostname, Host>();
    for (const text of names) {
      if (typeof text !== "string") {
        const expected = 'expected "HOST", ["HOST", "HOST"] or { host = "HOST" }';
        this.#fault(line, `${expected}, got ${typeName(text)}`);
        continue;
      }
      try {
        const name = parseHostname(text);
        if (hosts.has(name)) this.#fault(line, "a host is listed twice");
        hosts.set(name, { name, ttl: ttl ?? this.#options.ttlOf(name) });
      } catch (error) {
        this.#fault(line, errorMessage(error));
      }
    }
    return [...hosts.values()];
  }

  #readTtl(node: TomlNode | undefined): number | undefined {
    if (node === undefined) return undefined;
    const problem = numberProblem(node.value, TTL_RANGE);
    if (problem === undefined) return node.value as number;
    this.#fault(node.line, `ttl: ${problem}`);
  }

  /** The digest of a client's key; undefined if the key is at fault. */
  #readKey(key: string, line: number): KeyDigest | undefined {
    if (/^sha256:/i.test(key)) {
      const parsed = parseDigest(key.slice("sha256:".length));
      if (parsed === undefined) {
        this.#fault(line, 'expected 64 hex digits after "sha256:", as `sftdyn key` prints them');
      }
      return parsed;
    }
    if (key === "" || key === "?") return void this.#fault(line, "the key is empty");
    if (key.startsWith("/")) {
      return void this.#fault(line, "write the key without the slash at its beginning");
    }
    this.plainKeys = true;
    if (/^https?:\/\//i.test(key)) this.urlKeys.push(line);
    else if ([...key].length < SHORT_KEY) this.shortKeys.push(line);
    return digest(key);
  }
}
