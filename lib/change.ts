/** One record as it is to be: what a request asks for, and what the nameserver is asked or told. */

import type { Address } from "./address.ts";
import type { Hostname } from "./hostname.ts";

/** The types that hold an address. */
export type AddressType = "A" | "AAAA";

export interface Change {
  readonly name: Hostname;
  readonly type: AddressType;
  /** Seconds. */
  readonly ttl: number;
  /** The only address of the RRset; undefined if there is to be none. */
  readonly address: Address | undefined;
  /** What makes it so instead of the built-in commands: lines for nsupdate, already checked. */
  readonly commands?: readonly string[] | undefined;
  /** Why, for the log, if nobody has asked for it. */
  readonly note?: string | undefined;
}

/** The type of the record that holds the address, or any of its family. */
export function recordType({ family }: Pick<Address, "family">): AddressType {
  return family === 4 ? "A" : "AAAA";
}
