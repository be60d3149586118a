/** An IP address: its text forms, its family, what kind it is, and networks of addresses (CIDR). */

export interface Address {
  readonly family: 4 | 6;
  /** Four octets or eight groups of 16 bits. */
  readonly parts: readonly number[];
  /** The one canonical text: dotted decimal, or RFC 5952. */
  readonly text: string;
  /** Whether it came with a zone id (`fe80::1%eth0`, RFC 4007), which is not part of `text`. */
  readonly zoned: boolean;
}

/** All addresses that begin with the same `bits` bits. */
export interface Network {
  readonly address: Address;
  readonly bits: number;
}

const V4_MAPPED = [0, 0, 0, 0, 0, 0xffff];

/**
 * Parses an IPv4 address in dotted decimal (no leading zeros, four octets) or
 * an IPv6 address in any form of RFC 4291. An IPv4-mapped one (`::ffff:1.2.3.4`)
 * is the IPv4 address that it holds.
 *
 * @returns undefined if the text is no address
 */
export function parseAddress(text: string): Address | undefined {
  const octets = parseIpv4(text);
  if (octets !== undefined) return ipv4(octets);
  const percent = text.indexOf("%");
  const groups = parseIpv6(percent < 0 ? text : text.slice(0, percent));
  if (groups === undefined || percent === text.length - 1) return undefined;
  return addressOf(groups, percent >= 0);
}

/** The address of eight groups of 16 bits; an IPv4-mapped one is the IPv4 address that it holds. */
export function addressOf(groups: readonly number[], zoned = false): Address {
  if (V4_MAPPED.every((group, i) => group === groups[i])) {
    const octets = groups.slice(6).flatMap((group) => [group >> 8, group & 0xff]);
    return { ...ipv4(octets), zoned };
  }
  return { family: 6, parts: groups, text: ipv6Text(groups), zoned };
}

/**
 * Parses `ADDRESS` or `ADDRESS/BITS`; bits beyond the prefix do not matter.
 *
 * @returns undefined if the text is no network
 */
export function parseNetwork(text: string): Network | undefined {
  const [before = "", after, ...rest] = text.split("/");
  const address = parseAddress(before);
  if (address === undefined || address.zoned || rest.length > 0) return undefined;
  const most = address.family === 4 ? 32 : 128;
  if (after === undefined) return { address, bits: most };
  if (!/^(0|[1-9]\d{0,2})$/.test(after)) return undefined;
  // ::ffff:10.0.0.0/104 is 10.0.0.0/8.
  const bits = Number(after) - (address.family === 4 && before.includes(":") ? 96 : 0);
  return bits < 0 || bits > most ? undefined : { address, bits };
}

/** Whether the network holds the address. */
export function contains({ address: base, bits }: Network, address: Address): boolean {
  if (base.family !== address.family) return false;
  const width = address.family === 4 ? 8 : 16;
  for (let i = 0, left = bits; left > 0; i++, left -= width) {
    const shift = Math.max(0, width - left);
    if (address.parts[i]! >> shift !== base.parts[i]! >> shift) return false;
  }
  return true;
}

/** Whether one of the networks holds the address. */
export function isInAny(networks: readonly Network[], address: Address): boolean {
  return networks.some((network) => contains(network, address));
}

const network = (text: string): Network => parseNetwork(text)!;

/** Where no device can be reached from elsewhere (RFC 6890, RFC 4291). */
const UNUSABLE: [string, Network[]][] = [
  ["unspecified", [network("0.0.0.0/8"), network("::")]],
  ["link-local", [network("169.254.0.0/16"), network("fe80::/10")]],
  ["multicast", [network("224.0.0.0/4"), network("ff00::/8")]],
  ["broadcast", [network("255.255.255.255")]],
];

/** Where a device can be reached from nearby only (RFC 1918, RFC 4193, RFC 6598, RFC 6890). */
const LOCAL: [string, Network[]][] = [
  ["loopback", [network("127.0.0.0/8"), network("::1")]],
  ["private", [
    network("10.0.0.0/8"),
    network("172.16.0.0/12"),
    network("192.168.0.0/16"),
    network("100.64.0.0/10"),
    network("fc00::/7"),
  ]],
];

/** Why the address must not be put into DNS, in a word or two, or undefined if it may. */
export function unusable(address: Address): string | undefined {
  if (!address.zoned && isPlainlyUsable(address)) return undefined;
  return kind(UNUSABLE, address) ?? (address.zoned ? "with a zone id" : undefined);
}

/** "loopback" or "private" if the address means something nearby only, else undefined. */
export function local(address: Address): string | undefined {
  return kind(LOCAL, address);
}

/** Most addresses can be told by their first part, and this is asked for every request. */
function isPlainlyUsable({ family, parts: [first] }: Address): boolean {
  if (family === 6) return first! > 0 && first! < 0xfe80;
  return first! > 0 && first! < 224 && first !== 169;
}

function kind(kinds: [string, Network[]][], address: Address): string | undefined {
  return kinds.find(([, networks]) => isInAny(networks, address))?.[0];
}

function ipv4(octets: number[]): Address {
  return { family: 4, parts: octets, text: octets.join("."), zoned: false };
}

function parseIpv4(text: string): number[] | undefined {
  const octets = text.split(".");
  if (octets.length !== 4) return undefined;
  if (!octets.every((octet) => /^(0|[1-9]\d{0,2})$/.test(octet) && Number(octet) < 256)) {
    return undefined;
  }
  return octets.map(Number);
}

/**
 * The eight groups of 16 bits of an IPv6 address in any form of RFC 4291, without
 * a zone id.
 *
 * @returns undefined if the text is none
 */
export function parseIpv6(text: string): number[] | undefined {
  const halves = text.split("::");
  if (halves.length > 2) return undefined;
  const [left, right] = halves.map((half, i) => parseGroups(half, i === halves.length - 1));
  if (left === undefined) return undefined;
  if (halves.length === 1) return left.length === 8 ? left : undefined;
  if (right === undefined || left.length + right.length > 7) return undefined;
  return [...left, ...Array(8 - left.length - right.length).fill(0), ...right];
}

/** Groups between colons; the last may be an IPv4 address, which is two. */
function parseGroups(text: string, mayEndInIpv4: boolean): number[] | undefined {
  if (text === "") return [];
  const groups: number[] = [];
  const words = text.split(":");
  for (const [i, word] of words.entries()) {
    const octets = mayEndInIpv4 && i === words.length - 1 ? parseIpv4(word) : undefined;
    if (octets !== undefined) {
      const [a, b, c, d] = octets as [number, number, number, number];
      groups.push(a << 8 | b, c << 8 | d);
    } else if (/^[0-9a-f]{1,4}$/i.test(word)) groups.push(parseInt(word, 16));
    else return undefined;
  }
  return groups;
}

/** RFC 5952: lower case, no leading zeros, the first longest run of two or more zeros as `::`. */
function ipv6Text(groups: readonly number[]): string {
  let start = 0, length = 0;
  for (let i = 0; i < 8; i++) {
    let end = i;
    while (end < 8 && groups[end] === 0) end++;
    if (end - i > length) [start, length] = [i, end - i];
  }
  const hex = groups.map((group) => group.toString(16));
  if (length < 2) return hex.join(":");
  return `${hex.slice(0, start).join(":")}::${hex.slice(start + length).join(":")}`;
}
