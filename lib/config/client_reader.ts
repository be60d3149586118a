/** Who has which key, and which hosts it may set: what all files with clients have in common. */

import {
  type Client,
  Clients,
  digestWords,
  type NewClient,
  parseDigest,
  wordsOf,
} from "../clients.ts";
import type { DigestWords } from "../digest_table.ts";
import { errorMessage } from "../error_message.ts";
import { type Hostname, parseHostname } from "../hostname.ts";
import { withRoom } from "../with_room.ts";
import type { Faults } from "./settings.ts";

/** The clients that are written in one file. */
export interface ClientTable {
  readonly file: string;
  /** Lines whose keys have fewer than 16 characters. */
  readonly shortKeys: readonly number[];
  /** Lines whose keys look like a whole URL. */
  readonly urlKeys: readonly number[];
  /** Whether a key itself, not only its digest, stands in the file. */
  readonly plainKeys: boolean;
  /** The clients that have a host, in the order of their lines. */
  ownersOf(host: Hostname): Owner[];
}

/** A client, and where it is written. */
export interface Owner {
  readonly line: number;
  /** What stands for its key. */
  readonly keyId: string;
  readonly client: Client;
}

export interface ClientReaderOptions {
  faults: Faults;
  /** The TTL of a host whose client has none of its own; seconds. Asked when a client is found. */
  ttlOf: (name: Hostname) => number;
  /** Those of other files, whose keys are taken. */
  others?: readonly ClientReader[];
}

const SHORT_KEY = 16;

/** Takes clients one by one; what is at fault is missing. No fault repeats any of the text: key and host may be swapped. */
export class ClientReader implements ClientTable {
  readonly file: string;
  readonly clients: Clients;
  readonly shortKeys: number[] = [];
  readonly urlKeys: number[] = [];
  plainKeys = false;
  /** Faults so far. */
  faultCount = 0;
  /** The line of each client, by its number. */
  #lines = new Int32Array(64);
  readonly #faults: Faults;
  readonly #others: readonly ClientReader[];
  readonly #place: string;
  /** Of the client that is being read. */
  #key = "";

  /** @param place what faults begin with */
  constructor({ faults, ttlOf, others = [] }: ClientReaderOptions, place = "") {
    this.file = faults.file;
    this.clients = new Clients(ttlOf);
    this.#faults = faults;
    this.#others = others;
    this.#place = place;
  }

  ownersOf(host: Hostname): Owner[] {
    const owners = Array.from(
      this.clients.withHost(host),
      ({ number, keyId, client }) => ({ line: this.#lines[number]!, keyId, client }),
    );
    return owners.sort((one, other) => one.line - other.line);
  }

  protected fault(line: number, problem: string): void {
    this.faultCount++;
    this.#faults.add(line, `${this.#place}${problem}`);
  }

  /** Adds a client, unless its key is at fault or has one already. */
  protected add(key: string, line: number, read: () => NewClient): void {
    const digest = this.#readKey(key, line);
    if (digest !== undefined) {
      const place = this.#placeOf(digest);
      if (place !== undefined) return this.fault(line, `this key is already in ${place}`);
    }
    this.#key = key;
    const client = read();
    if (digest === undefined) return;
    this.#lines = withRoom(this.#lines, this.clients.size + 1);
    this.#lines[this.clients.size] = line;
    this.clients.append(digest, client);
  }

  protected lineOfKey(digest: DigestWords): number | undefined {
    const number = this.clients.numberOf(digest);
    return number < 0 ? undefined : this.#lines[number];
  }

  /** @param problem what is in front of what is wrong with a name */
  protected readHosts(
    line: number,
    names: readonly string[],
    ttl?: number,
    problem = "",
  ): NewClient["hosts"] {
    const hosts: { name: Hostname; ttl: number | undefined }[] = [];
    const seen = names.length > 1 ? new Set<Hostname>() : undefined;
    for (const text of names) {
      try {
        const name = parseHostname(text);
        if (seen?.has(name)) this.fault(line, "a host is listed twice");
        seen?.add(name);
        hosts.push({ name, ttl });
      } catch (error) {
        const hint = isHostname(this.#key) ? "; are key and host swapped?" : "";
        this.fault(line, `${problem}${errorMessage(error)}${hint}`);
      }
    }
    return hosts;
  }

  /** Where the client with this key is. */
  #placeOf(digest: DigestWords): string | undefined {
    const line = this.lineOfKey(digest);
    if (line !== undefined) return `line ${line}`;
    for (const other of this.#others) {
      const line = other.lineOfKey(digest);
      if (line !== undefined) return `${other.file}, line ${line}`;
    }
  }

  /** The digest of a client's key; undefined if the key is at fault. */
  #readKey(key: string, line: number): DigestWords | undefined {
    if (/^sha256:/i.test(key)) {
      const parsed = parseDigest(key.slice("sha256:".length));
      if (parsed === undefined) {
        this.fault(line, 'expected 64 hex digits after "sha256:", as `sftdyn key` prints them');
      }
      return parsed && wordsOf(parsed);
    }
    if (key === "" || key === "?") return void this.fault(line, "the key is empty");
    if (key.startsWith("/")) {
      return void this.fault(line, "write the key without the slash at its beginning");
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
