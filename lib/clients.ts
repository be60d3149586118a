/** Which update key may set which hosts. Keys are held as SHA-256 digests only. */

import type { Hostname } from "./hostname.ts";
import { sha256 } from "./sha256.ts";

export interface Host {
  readonly name: Hostname;
  /** Seconds. */
  readonly ttl: number;
}

export type Hosts = readonly Host[];

/** The SHA-256 of a key's UTF-8 form, in lower-case hex. */
export function digest(key: string): string {
  return sha256(key);
}

/** What stands for a key wherever one must be named: the first 8 digits of its digest. */
export function keyId(keyDigest: string): string {
  return keyDigest.slice(0, 8);
}

export class Clients {
  readonly #hosts = new Map<string, Hosts>();

  get size(): number {
    return this.#hosts.size;
  }

  /** Adds a client; false if another has this key. */
  add(keyDigest: string, hosts: Hosts): boolean {
    if (this.#hosts.has(keyDigest)) return false;
    this.#hosts.set(keyDigest, hosts);
    return true;
  }

  /**
   * The hosts of the client with this key, or with its percent-decoded form:
   * clients escape differently, and a key may hold any character.
   */
  find(key: string): Hosts | undefined {
    const hosts = this.#hosts.get(digest(key));
    if (hosts !== undefined || !key.includes("%")) return hosts;
    try {
      return this.#hosts.get(digest(decodeURIComponent(key)));
    } catch {
      return undefined; // Not an escape, or not UTF-8 behind it.
    }
  }

  /** Every host of every client, once, in the order of the configuration. */
  hosts(): Host[] {
    const hosts = new Map<Hostname, Host>();
    for (const client of this.#hosts.values()) {
      for (const host of client) if (!hosts.has(host.name)) hosts.set(host.name, host);
    }
    return [...hosts.values()];
  }
}
