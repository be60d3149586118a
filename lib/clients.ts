/** Which update key may set which hosts. Keys are held as SHA-256 digests only. */

import type { Address } from "./address.ts";
import type { ClientLimits } from "./client_limits.ts";
import { DigestTable, type DigestWords } from "./digest_table.ts";
import type { Hostname } from "./hostname.ts";
import type { InterfaceId } from "./prefix.ts";
import { sha256, sha256Words } from "./sha256.ts";
import { withRoom } from "./with_room.ts";

declare const isDigest: unique symbol;

/** The SHA-256 of a key's UTF-8 form, in lower-case hex: what a key itself can never be taken for. */
export type KeyDigest = string & { readonly [isDigest]: true };

export interface Host {
  readonly name: Hostname;
  /** Seconds. */
  readonly ttl: number;
}

/** Who has a key, and what it may do. */
export interface Client {
  readonly hosts: readonly Host[];
  /** undefined: there are none. */
  readonly limits?: ClientLimits | undefined;
  /** Whether its requests may name addresses; undefined: it gets the one that it comes from. */
  readonly address?: "request" | undefined;
  /** undefined: it sets no others' addresses. */
  readonly prefix?: ClientPrefix | undefined;
}

/** The hosts behind a client's router, whose addresses begin with its prefix. */
export interface ClientPrefix {
  /** Bits of the prefix; the interface ids have none of these. */
  readonly length: number;
  readonly hosts: readonly (Host & { readonly id: InterfaceId })[];
}

/** Who has which key, wherever that is written. */
export interface ClientList {
  readonly size: number;
  /**
   * The client with this key, or with its percent-decoded form: clients escape
   * differently, and a key may hold any character.
   */
  find(key: string): Client | undefined;
  /** What stands for the key of the client that is found so. */
  idOf(key: string): string | undefined;
  /** Every host's name; again if several clients have it. */
  names(): Iterable<Hostname>;
  /** Every host of every client, once, in the order of the configuration. */
  hosts(): ClientHost[];
  /** Likewise, again if several clients have it, each time with that one's only family. */
  all(): Iterable<OwnHost>;
}

/** A host, and what all its clients have in common. */
export interface ClientHost extends Host {
  /** The only family that one of them may set; undefined: there are both. */
  readonly family?: Address["family"];
}

/** A host as one of its clients has it. */
export interface OwnHost extends ClientHost {
  /** After so many milliseconds without a call it loses its addresses, Infinity: never; undefined: as all do. */
  readonly withdrawAfter?: number;
}

/** The digest of a key. */
export function digest(key: string): KeyDigest {
  return sha256(key) as KeyDigest;
}

/** The digest that is written as 64 hex digits; undefined if it is none. */
export function parseDigest(hex: string): KeyDigest | undefined {
  const lower = hex.toLowerCase();
  return /^[0-9a-f]{64}$/.test(lower) ? lower as KeyDigest : undefined;
}

/** What stands for a key wherever one must be named: the first 8 digits of its digest. */
export function keyId(keyDigest: KeyDigest): string {
  return keyDigest.slice(0, 8);
}

function idOfWords([first]: DigestWords): string {
  return (first! >>> 0).toString(16).padStart(8, "0");
}

/** A host as it is added; without a TTL it has that of its zone. */
interface NewHost {
  readonly name: Hostname;
  readonly ttl?: number | undefined;
}

/** A client as it is added. */
export interface NewClient {
  readonly hosts: readonly NewHost[];
  readonly limits?: ClientLimits | undefined;
  readonly address?: Client["address"];
  readonly prefix?: NewPrefix | undefined;
  /** As an OwnHost's. */
  readonly withdrawAfter?: number | undefined;
}

/** As above, the hosts behind its router. */
export interface NewPrefix {
  readonly length: number;
  readonly hosts: readonly (NewHost & { readonly id: InterfaceId })[];
}

/** The digest of a key in words, until the next call. */
export function digestWords(key: string): DigestWords {
  return sha256Words(key);
}

/** A digest in words. */
export function wordsOf(keyDigest: KeyDigest): DigestWords {
  return Int32Array.from({ length: 8 }, (_, i) => parseInt(keyDigest.slice(i * 8, i * 8 + 8), 16));
}

const NO_TTL = -1;
/** Octets of names in a row. */
const BLOCK = 2 ** 16;
const decoder = new TextDecoder();

/** Clients in rows of numbers: a million of them take 80 MB. */
export class Clients implements ClientList {
  readonly #ttlOf: (name: Hostname) => number;
  readonly #digests = new DigestTable();
  /** Of each client, in the order of the digests: how many hosts there are up to and with its own. */
  #ends = new Int32Array(64);
  /** Of each host: its TTL, and where its name is in #names. */
  #ttls = new Int32Array(64);
  #nameStarts = new Int32Array(64);
  #nameLengths = new Uint8Array(64);
  /** In blocks, so that a new one is had in no time; no name goes over the end of one. */
  readonly #names: Uint8Array[] = [];
  #namesEnd = 0;
  /** Of the clients that have some, by number. */
  readonly #limits = new Map<number, ClientLimits>();
  /** Those whose requests may name addresses, by number. */
  readonly #naming = new Set<number>();
  /** Those of them that there are, by number. */
  readonly #prefixes = new Map<number, NewPrefix>();
  /** Where it is not as for all, by number. */
  readonly #withdrawAfter = new Map<number, number>();

  /** @param ttlOf the TTL of a host that was added without one; it is called when the host is found */
  constructor(ttlOf: (name: Hostname) => number = () => 0) {
    this.#ttlOf = ttlOf;
  }

  get size(): number {
    return this.#digests.size;
  }

  /** Adds a client; false if another has this key. */
  add(keyDigest: KeyDigest, client: NewClient): boolean {
    const words = wordsOf(keyDigest);
    if (this.numberOf(words) >= 0) return false;
    this.append(words, client);
    return true;
  }

  /** The number of the client with this key's digest, from 0 in the order they came; -1 if there is none. */
  numberOf(words: DigestWords): number {
    return this.#digests.find(words);
  }

  /** Adds a client whose key none has. */
  append(
    words: DigestWords,
    { hosts, limits, address, prefix, withdrawAfter }: NewClient,
  ): void {
    const number = this.size;
    let end = this.#hostsUpTo(number);
    this.#digests.add(words);
    for (const { name, ttl } of hosts) this.#appendHost(end++, name, ttl);
    this.#ends = withRoom(this.#ends, number + 1);
    this.#ends[number] = end;
    if (limits !== undefined) this.#limits.set(number, limits);
    if (address === "request") this.#naming.add(number);
    if (prefix !== undefined) this.#prefixes.set(number, prefix);
    if (withdrawAfter !== undefined) this.#withdrawAfter.set(number, withdrawAfter);
  }

  find(key: string): Client | undefined {
    return findEither(key, (words) => this.withDigest(words));
  }

  idOf(key: string): string | undefined {
    return findEither(key, (words) => this.numberOf(words) < 0 ? undefined : idOfWords(words));
  }

  /** The client whose key has this digest. */
  withDigest(words: DigestWords): Client | undefined {
    const number = this.numberOf(words);
    if (number < 0) return undefined;
    const hosts: Host[] = [];
    for (let i = this.#hostsUpTo(number); i < this.#ends[number]!; i++) hosts.push(this.#host(i));
    const limits = this.#limits.size === 0 ? undefined : this.#limits.get(number);
    const address = this.#naming.size > 0 && this.#naming.has(number) ? "request" : undefined;
    const prefix = this.#prefixOf(number);
    if (prefix !== undefined) return { hosts, limits, address, prefix };
    if (address !== undefined) return { hosts, limits, address };
    return limits === undefined ? { hosts } : { hosts, limits };
  }

  /** The clients that have this host, each with its number and what stands for its key. */
  *withHost(name: Hostname): Generator<{ number: number; keyId: string; client: Client }> {
    for (const [number, words] of this.#digests.all()) {
      const client = this.withDigest(words)!;
      const isOwn = [...client.hosts, ...client.prefix?.hosts ?? []].some((host) =>
        host.name === name
      );
      if (isOwn) yield { number, keyId: idOfWords(words), client };
    }
  }

  *names(): Generator<Hostname> {
    for (let i = 0, all = this.#hostsUpTo(this.size); i < all; i++) yield this.#name(i);
    for (const { hosts } of this.#prefixes.values()) for (const { name } of hosts) yield name;
  }

  hosts(): ClientHost[] {
    return eachOnce(this.all());
  }

  *all(): Generator<OwnHost> {
    for (let number = 0, i = 0; number < this.size; number++) {
      const family = this.#limits.get(number)?.family;
      const withdrawAfter = this.#withdrawAfter.get(number);
      const own = {
        ...family !== undefined && { family },
        ...withdrawAfter !== undefined && { withdrawAfter },
      };
      const isPlain = family === undefined && withdrawAfter === undefined;
      for (; i < this.#ends[number]!; i++) {
        const host = this.#host(i);
        yield isPlain ? host : { ...host, ...own };
      }
      for (const { name, ttl } of this.#prefixOf(number)?.hosts ?? []) {
        yield { name, ttl, ...own, family: 6 };
      }
    }
  }

  #prefixOf(number: number): ClientPrefix | undefined {
    const prefix = this.#prefixes.size === 0 ? undefined : this.#prefixes.get(number);
    if (prefix === undefined) return undefined;
    const { length, hosts } = prefix;
    return {
      length,
      hosts: hosts.map(({ name, ttl = this.#ttlOf(name), id }) => ({ name, ttl, id })),
    };
  }

  /** How many hosts the clients before this one have. */
  #hostsUpTo(number: number): number {
    return number === 0 ? 0 : this.#ends[number - 1]!;
  }

  #host(i: number): Host {
    const name = this.#name(i);
    const ttl = this.#ttls[i]!;
    return { name, ttl: ttl === NO_TTL ? this.#ttlOf(name) : ttl };
  }

  #name(i: number): Hostname {
    const start = this.#nameStarts[i]!;
    const block = this.#names[Math.floor(start / BLOCK)]!;
    const offset = start % BLOCK;
    return decoder.decode(block.subarray(offset, offset + this.#nameLengths[i]!)) as Hostname;
  }

  #appendHost(i: number, name: Hostname, ttl = NO_TTL): void {
    let start = this.#namesEnd;
    const left = this.#names.length * BLOCK - start;
    if (name.length > left) {
      start += left;
      this.#names.push(new Uint8Array(BLOCK));
    }
    this.#namesEnd = start + name.length;
    const block = this.#names.at(-1)!;
    for (let j = 0; j < name.length; j++) block[start % BLOCK + j] = name.charCodeAt(j);
    this.#nameStarts = withRoom(this.#nameStarts, i + 1);
    this.#nameStarts[i] = start;
    this.#nameLengths = withRoom(this.#nameLengths, i + 1);
    this.#nameLengths[i] = name.length;
    this.#ttls = withRoom(this.#ttls, i + 1);
    this.#ttls[i] = ttl;
  }
}

/** Clients of several tables, no two of which have a key in common. */
export class JoinedClients implements ClientList {
  readonly #tables: readonly Clients[];

  constructor(tables: readonly Clients[]) {
    this.#tables = tables;
  }

  get size(): number {
    return this.#tables.reduce((sum, { size }) => sum + size, 0);
  }

  find(key: string): Client | undefined {
    return findEither(key, (words) => {
      for (const table of this.#tables) {
        const client = table.withDigest(words);
        if (client !== undefined) return client;
      }
    });
  }

  idOf(key: string): string | undefined {
    return findEither(key, (words) => {
      const isThere = this.#tables.some((table) => table.numberOf(words) >= 0);
      return isThere ? idOfWords(words) : undefined;
    });
  }

  *names(): Generator<Hostname> {
    for (const table of this.#tables) yield* table.names();
  }

  hosts(): ClientHost[] {
    return eachOnce(this.all());
  }

  *all(): Generator<OwnHost> {
    for (const table of this.#tables) yield* table.all();
  }
}

/** What is found for a key as it is, or else for its percent-decoded form. */
function findEither<T>(
  key: string,
  find: (words: DigestWords) => T | undefined,
): T | undefined {
  const found = find(digestWords(key));
  if (found !== undefined || !key.includes("%")) return found;
  let decoded;
  try {
    decoded = decodeURIComponent(key);
  } catch {
    return undefined; // Not an escape, or not UTF-8 behind it.
  }
  return find(digestWords(decoded));
}

function eachOnce(hosts: Iterable<ClientHost>): ClientHost[] {
  const all = new Map<Hostname, ClientHost>();
  for (const host of hosts) addHost(all, host);
  return [...all.values()];
}

/** Adds a host; where another client has it already, what both have in common. */
export function addHost(
  all: Map<Hostname, ClientHost>,
  { name, ttl, family }: ClientHost,
): void {
  const first = all.get(name);
  if (first === undefined) all.set(name, { name, ttl, ...family !== undefined && { family } });
  else if (first.family !== undefined && first.family !== family) {
    all.set(name, { name, ttl: first.ttl });
  }
}
