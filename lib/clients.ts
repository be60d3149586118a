/** Which update key may set which hosts. Keys are held as SHA-256 digests only. */

import type { Hostname } from "./hostname.ts";
import { sha256 } from "./sha256.ts";

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

export class Clients {
  readonly #clients = new Map<KeyDigest, Client>();

  get size(): number {
    return this.#clients.size;
  }

  /** Adds a client; false if another has this key. */
  add(keyDigest: KeyDigest, client: Client): boolean {
    if (this.#clients.has(keyDigest)) return false;
    this.#clients.set(keyDigest, client);
    return true;
  }

  /**
   * The client with this key, or with its percent-decoded form: clients escape
   * differently, and a key may hold any character.
   */
  find(key: string): Client | undefined {
    const client = this.#clients.get(digest(key));
    if (client !== undefined || !key.includes("%")) return client;
    try {
      return this.#clients.get(digest(decodeURIComponent(key)));
    } catch {
      return undefined; // Not an escape, or not UTF-8 behind it.
    }
  }

  /** Every host of every client, once, in the order of the configuration. */
  hosts(): Host[] {
    const hosts = new Map<Hostname, Host>();
    for (const client of this.#clients.values()) {
      for (const host of client.hosts) if (!hosts.has(host.name)) hosts.set(host.name, host);
    }
    return [...hosts.values()];
  }
}
