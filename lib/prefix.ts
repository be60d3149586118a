/** What the address of a host behind a router is made of: an IPv6 prefix, and an interface id (RFC 4291). */

import { type Address, addressOf, type Network, parseIpv6, parseNetwork } from "./address.ts";

declare const isInterfaceId: unique symbol;

/** Eight groups of 16 bits; those that the prefix has are zero. */
export type InterfaceId = readonly number[] & { readonly [isInterfaceId]: true };

/**
 * Parses an IPv6 prefix, `ADDRESS/BITS`, of 1 to 128 bits. What the address has
 * beyond them is cut off.
 *
 * @returns undefined if the text is none
 */
export function parsePrefix(text: string): Network | undefined {
  // Without the length, it may be an address as well.
  const network = text.includes("/") ? parseNetwork(text) : undefined;
  if (network === undefined || network.address.family === 4 || network.bits === 0) return undefined;
  return prefixOf(network.address, network.bits);
}

/** The prefix of so many bits that the IPv6 address begins with. */
export function prefixOf({ parts }: Address, length: number): Network {
  return { address: addressOf(parts.map((part, i) => part & mask(length, i))), bits: length };
}

/** As it is written: `2001:db8::/64`. */
export function prefixText({ address, bits }: Network): string {
  return `${address.text}/${bits}`;
}

/**
 * Parses an interface id: an IPv6 address in any form, like `::1a2b:3c4d:5e6f:7890`,
 * or `eui64:` and a MAC address, from which it is made as RFC 4291, appendix A,
 * says.
 *
 * @throws {RangeError} if the text is none, without the text
 */
export function parseInterfaceId(text: string): InterfaceId {
  const groups = /^eui64:/i.test(text) ? eui64(text.slice("eui64:".length)) : parseIpv6(text);
  if (groups !== undefined) return groups as readonly number[] as InterfaceId;
  throw new RangeError(
    'expected an interface id like "::1a2b:3c4d:5e6f:7890" or "eui64:52:54:00:12:34:56"',
  );
}

/** Whether the interface id has bits where a prefix of this length has its own. */
export function overlaps(id: InterfaceId, length: number): boolean {
  return id.some((part, i) => (part & mask(length, i)) !== 0);
}

/**
 * The address with this prefix and this interface id. Bits of neither are zero. An
 * IPv4-mapped one is IPv4, and so none of the prefix.
 */
export function join({ address, bits }: Network, id: InterfaceId): Address {
  return addressOf(address.parts.map((part, i) => part & mask(bits, i) | id[i]!));
}

/** Which bits of a group a prefix of this length has. */
function mask(length: number, group: number): number {
  const left = Math.min(16, Math.max(0, length - 16 * group));
  return 0xffff << 16 - left & 0xffff;
}

const MAC = /^[0-9a-f]{2}([:-])[0-9a-f]{2}(?:\1[0-9a-f]{2}){4}$/i;

function eui64(mac: string): number[] | undefined {
  if (!MAC.test(mac)) return undefined;
  const [a, b, c, d, e, f] = mac.split(/[:-]/).map((octet) => parseInt(octet, 16)) as [
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  if (a & 1) throw new RangeError("this MAC address is of a group, not of a device");
  return [0, 0, 0, 0, (a ^ 2) << 8 | b, c << 8 | 0xff, 0xfe << 8 | d, e << 8 | f];
}
