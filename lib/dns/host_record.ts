/** One record in the update engine. */

import type { Address } from "../address.ts";
import type { AddressType } from "./dns.ts";
import type { Hostname } from "../hostname.ts";

/** What became of a host's record; BUSY: too many wait already. */
export type Result = "OK" | "UPTODATE" | "FAIL" | "BUSY";

/** The newest address that a record is to have, and all who wait for it. */
export interface Wish {
  address: Address;
  ttl: number;
  readonly waiters: ((result: Result) => void)[];
}

/** A host's A or AAAA record: what is known of it, and what it is to become. */
export class HostRecord {
  /** The zone that it is in, found once. */
  zone: string | undefined;
  /** The one address that it had when the nameserver confirmed it last, and when that was. */
  known: { readonly address: string; readonly at: number } | undefined;
  /** What it had before, for the log. */
  before = "?";
  /** An UPDATE of it was lost on the way, and may still take effect. */
  isInDoubt = false;
  changedAt = -Infinity;
  wish: Wish | undefined;
  /** Somebody looks after it: asks the nameserver, or sends. */
  isBusy = false;
  /** Set while it waits for its interval to be over. */
  timer: ReturnType<typeof setTimeout> | undefined;

  constructor(readonly name: Hostname, readonly type: AddressType) {}

  get text(): string {
    return `${this.name} ${this.type}`;
  }
}
