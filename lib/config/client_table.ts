/** [clients] of the configuration: who has which key, and which hosts it may set. */

import { Clients, digestWords, type NewClient, parseDigest, wordsOf } from "../clients.ts";
import type { DigestWords } from "../digest_table.ts";
import { errorMessage } from "../error_message.ts";
import { type Hostname, parseHostname } from "../hostname.ts";
import type { Work } from "../slices.ts";
import { withRoom } from "../with_room.ts";
import { type Faults, numberProblem, typeName } from "./settings.ts";
import type { Rows, TomlNode, TomlTable } from "./toml.ts";

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
  /** The TTL of a host whose client has none of its own; seconds. Asked when the file has been read. */
  ttlOf: (name: Hostname) => number;
}

/** RFC 2181, section 8. */
export const TTL_RANGE = { least: 0, most: 2 ** 31 - 1, isWhole: true };
const SHORT_KEY = 16;

// deno-lint-ignore no-control-regex
const STRING = /"([^"\\\x00-\x1f\x7f]*)"/g;
/** `"KEY" = "HOST"` or `KEY = ["HOST", "HOST"]`: nearly every client, and TOML without a doubt. */
const PLAIN_LINE = new RegExp(
  `^(?:${STRING.source}|([A-Za-z0-9_-]+))[ \\t]*=[ \\t]*(?:${STRING.source}|` +
    `\\[[ \\t]*(${STRING.source}(?:[ \\t]*,[ \\t]*${STRING.source})*)[ \\t]*,?[ \\t]*\\])[ \\t]*(?:#.*)?\r?$`,
);

/** Reads the clients one by one; what is at fault is missing. No fault repeats any of the text: key and host may be swapped. */
export class ClientReader implements ClientTable, Rows {
  readonly name = "clients";
  readonly clients: Clients;
  readonly shortKeys: number[] = [];
  readonly urlKeys: number[] = [];
  plainKeys = false;
  /** Faults so far. */
  faultCount = 0;
  /** The line of each client, by its number. */
  #lines = new Int32Array(64);
  readonly #options: ClientTableOptions;

  constructor(options: ClientTableOptions) {
    this.#options = options;
    this.clients = new Clients(options.ttlOf);
  }

  /** Reads what is not a row: a table in braces, or with a header of its own for each client. */
  *read(node: TomlNode | undefined): Work {
    if (node === undefined) return;
    if (!(node.value instanceof Map)) {
      return this.#fault(node.line, 'expected a table: [clients], then "KEY" = "HOST"');
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
    const number = this.clients.numberOf(digestWords(name));
    return number < 0 ? undefined : this.#lines[number];
  }

  take(key: string, { line, value }: TomlNode): void {
    if (this.#options.settings.includes(key)) {
      return this.#fault(line, `${key} belongs above [clients]`);
    }
    const digest = this.#readKey(key, line);
    const number = digest === undefined ? -1 : this.clients.numberOf(digest);
    if (number >= 0) {
      return this.#fault(line, `this key is already in line ${this.#lines[number]}`);
    }
    const client = this.#readClient(line, value, key);
    if (digest === undefined) return;
    this.#lines = withRoom(this.#lines, this.clients.size + 1);
    this.#lines[this.clients.size] = line;
    this.clients.append(digest, client);
  }

  #fault(line: number, problem: string): void {
    this.faultCount++;
    this.#options.faults.add(line, `clients: ${problem}`);
  }

  #readClient(line: number, value: unknown, key: string): NewClient {
    if (!(value instanceof Map)) return { hosts: this.#readHosts(line, value, undefined, key) };
    const table = value as TomlTable;
    const isKnown = [...table.keys()].every((name) => name === "host" || name === "ttl");
    if (!isKnown) {
      this.#fault(line, 'expected { host = "HOST", ttl = SECONDS }; a key with a dot needs quotes');
    }
    const ttl = this.#readTtl(table.get("ttl"));
    const host = table.get("host");
    if (host !== undefined) return { hosts: this.#readHosts(line, host.value, ttl, key) };
    if (isKnown) this.#fault(line, 'host is missing: expected { host = "HOST" }');
    return { hosts: [] };
  }

  #readHosts(
    line: number,
    value: unknown,
    ttl: number | undefined,
    key: string,
  ): NewClient["hosts"] {
    const names: unknown[] = Array.isArray(value) ? value : [value];
    if (names.length === 0) {
      this.#fault(line, 'the list of hosts is empty: expected ["HOST", "HOST"]');
    }
    const hosts: { name: Hostname; ttl: number | undefined }[] = [];
    const seen = names.length > 1 ? new Set<Hostname>() : undefined;
    for (const text of names) {
      if (typeof text !== "string") {
        const expected = 'expected "HOST", ["HOST", "HOST"] or { host = "HOST" }';
        this.#fault(line, `${expected}, got ${typeName(text)}`);
        continue;
      }
      try {
        const name = parseHostname(text);
        if (seen?.has(name)) this.#fault(line, "a host is listed twice");
        seen?.add(name);
        hosts.push({ name, ttl });
      } catch (error) {
        const hint = isHostname(key) ? "; are key and host swapped?" : "";
        this.#fault(line, `${errorMessage(error)}${hint}`);
      }
    }
    return hosts;
  }

  #readTtl(node: TomlNode | undefined): number | undefined {
    if (node === undefined) return undefined;
    const problem = numberProblem(node.value, TTL_RANGE);
    if (problem === undefined) return node.value as number;
    this.#fault(node.line, `ttl: ${problem}`);
  }

  /** The digest of a client's key; undefined if the key is at fault. */
  #readKey(key: string, line: number): DigestWords | undefined {
    if (/^sha256:/i.test(key)) {
      const parsed = parseDigest(key.slice("sha256:".length));
      if (parsed === undefined) {
        this.#fault(line, 'expected 64 hex digits after "sha256:", as `sftdyn key` prints them');
      }
      return parsed && wordsOf(parsed);
    }
    if (key === "" || key === "?") return void this.#fault(line, "the key is empty");
    if (key.startsWith("/")) {
      return void this.#fault(line, "write the key without the slash at its beginning");
    }
    this.plainKeys = true;
    if (/^https?:\/\//i.test(key)) this.urlKeys.push(line);
    else if (key.length < 2 * SHORT_KEY && [...key].length < SHORT_KEY) this.shortKeys.push(line);
    return digestWords(key);
  }
}

function isHostname(text: string): boolean {
  try {
    parseHostname(text);
    return true;
  } catch {
    return false;
  }
}
