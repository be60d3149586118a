/** What narrows a client down: from where its key is taken, and which addresses it may set. */

import { type Address, isInAny, local, type Network, unusable } from "./address.ts";

export interface ClientLimits {
  /** The key is taken from these alone; undefined: from anywhere. */
  readonly networks?: readonly Network[] | undefined;
  /** The only family whose addresses it may set; undefined: either. */
  readonly family?: Address["family"] | undefined;
  /** Whether what can be reached from nearby only is refused: private, loopback and link-local addresses. */
  readonly isPublicOnly?: boolean | undefined;
}

/** Whether a key with these limits is taken from the address; if it is unknown, only without networks. */
export function isTakenFrom(
  limits: ClientLimits | undefined,
  address: Address | undefined,
): boolean {
  if (limits?.networks === undefined) return true;
  return address !== undefined && isInAny(limits.networks, address);
}

/** Why the limits do not let the address be set, in a few words; undefined if they do. */
export function refusal(limits: ClientLimits | undefined, address: Address): string | undefined {
  if (limits === undefined) return undefined;
  if (limits.family !== undefined && limits.family !== address.family) {
    return `the client's families have no ipv${address.family}`;
  }
  const kind = limits.isPublicOnly ? local(address) ?? unusable(address) : undefined;
  return kind && `${kind}, and the client has private = false`;
}
