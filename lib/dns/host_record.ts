/** One record in the update engine: what is known of it, and what it is to be. */

import type { Address } from "../address.ts";
import type { AddressType } from "../change.ts";
import type { Hostname } from "../hostname.ts";

/** What became of a record; BUSY: too many wait already. */
export type Result = "OK" | "UPTODATE" | "FAIL" | "BUSY";

/** The newest address that a record is to have, and all who wait for it. */
export interface Pending {
  /** undefined if it is to have none. */
  address: Address | undefined;
  /** Seconds. */
  ttl: number;
  /** Lines for nsupdate in place of the built-in ones. */
  commands: readonly string[] | undefined;
  /** Why, for the log. */
  note: string | undefined;
  /** Its zone was found anew because the nameserver said that it is elsewhere. */
  hasRetried: boolean;
  /** When its zone was found for it. */
  foundAt: number;
  /** Those that are to be set in one UPDATE with it, and it. */
  together?: ReadonlySet<HostRecord> | undefined;
  /** It can be set as soon as all of these can. */
  isReady?: boolean;
  /** Its zone was to be found once more before all of these could be set. */
  wasAskedAgain?: boolean;
  readonly waiters: ((result: Result) => void)[];
}

export interface Known {
  readonly address: string;
  readonly at: number;
  /**
   * It was set in the zone of its neighbours, which may be its own no more: a zone
   * may have been made of just this name.
   */
  readonly isPresumed: boolean;
}

/** A host's A or AAAA record. */
export class HostRecord {
  /** The zone that it was in when that was found last, or that the configuration names. */
  zone: string | undefined;
  /** When its zone was found by its own name. */
  foundAt = -Infinity;
  /** What it was when the nameserver confirmed it last (addressText), and when that was. */
  known: Known | undefined;
  /** What the nameserver was asked for, and what therefore must be set (addressText). */
  toSet: string | undefined;
  /** Seconds, if it was set since the start. */
  ttl: number | undefined;
  /** What it was before, for the log. */
  before = "?";
  /** An UPDATE of it was lost on the way, and may still take effect. */
  isInDoubt = false;
  /** The last UPDATE of it was made. */
  isProven = false;
  /** The last UPDATE of it was refused. */
  wasRefused = false;
  /** When an UPDATE of it was sent last. */
  triedAt = -Infinity;
  pending: Pending | undefined;
  /** It is in a queue or in a message. */
  isBusy = false;
  /** Set while it waits for its interval to be over. */
  timer: ReturnType<typeof setTimeout> | undefined;

  constructor(readonly name: Hostname, readonly type: AddressType) {}

  /** Whether it can be set, and waits for others that cannot yet. */
  get isHeld(): boolean {
    return this.pending?.isReady === true && !this.isBusy && this.timer === undefined;
  }

  get text(): string {
    return `${this.name} ${this.type}`;
  }
}

/** An address, or "none". */
export function addressText(address: Address | undefined): string {
  return address?.text ?? "none";
}
