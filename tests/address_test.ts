import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { contains, local, parseAddress, parseNetwork, unusable } from "../lib/address.ts";

const MANY = { numRuns: 2000 };

/** What the URL standard makes of an IPv6 address, in RFC 5952's form; undefined if it is none. */
function asInUrl(text: string): string | undefined {
  return URL.parse(`http://[${text}]/`)?.hostname.slice(1, -1);
}

/** Every bit of the address as one number. */
function bitsOf(parts: readonly number[]): bigint {
  const width = parts.length === 4 ? 8n : 16n;
  return parts.reduce((all, part) => all << width | BigInt(part), 0n);
}

Deno.test("parseAddress() gives an address its one canonical text", () => {
  const table: [string, 4 | 6, string][] = [
    ["0.0.0.0", 4, "0.0.0.0"],
    ["203.0.113.7", 4, "203.0.113.7"],
    ["255.255.255.255", 4, "255.255.255.255"],
    // RFC 4291, section 2.2.
    ["ABCD:EF01:2345:6789:ABCD:EF01:2345:6789", 6, "abcd:ef01:2345:6789:abcd:ef01:2345:6789"],
    ["2001:DB8:0:0:8:800:200C:417A", 6, "2001:db8::8:800:200c:417a"],
    ["0:0:0:0:0:0:0:1", 6, "::1"],
    ["0:0:0:0:0:0:0:0", 6, "::"],
    ["::13.1.68.3", 6, "::d01:4403"],
    // RFC 5952, section 4.
    ["2001:0db8::0001", 6, "2001:db8::1"],
    ["2001:db8:0:0:0:0:2:1", 6, "2001:db8::2:1"],
    ["2001:db8::1:1:1:1:1", 6, "2001:db8:0:1:1:1:1:1"],
    ["2001:0:0:1:0:0:0:1", 6, "2001:0:0:1::1"],
    ["2001:db8:0:0:1:0:0:1", 6, "2001:db8::1:0:0:1"],
    ["1:2:3:4:5:6:7::", 6, "1:2:3:4:5:6:7:0"],
    ["::2:3:4:5:6:7:8", 6, "0:2:3:4:5:6:7:8"],
    ["1:0:0:0:0:0:0:0", 6, "1::"],
    // An IPv4-mapped address is the IPv4 address that it holds (RFC 4291, section 2.5.5.2).
    ["::ffff:203.0.113.7", 4, "203.0.113.7"],
    ["::FFFF:cb00:7107", 4, "203.0.113.7"],
    ["0:0:0:0:0:ffff:0.0.0.1", 4, "0.0.0.1"],
    // Others with an IPv4 address in them are not mapped.
    ["::ffff:0:203.0.113.7", 6, "::ffff:0:cb00:7107"],
    ["64:ff9b::192.0.2.33", 6, "64:ff9b::c000:221"],
  ];
  for (const [text, family, canonical] of table) {
    const address = parseAddress(text);
    assertEquals([text, address?.family, address?.text, address?.zoned], [
      text,
      family,
      canonical,
      false,
    ]);
    assertEquals(address?.parts.length, family === 4 ? 4 : 8);
  }
});

Deno.test("parseAddress() notes a zone id and leaves it out of the text", () => {
  for (const text of ["fe80::1%eth0", "fe80::1%1", "fe80::1%a%b"]) {
    const address = parseAddress(text);
    assertEquals([text, address?.text, address?.zoned], [text, "fe80::1", true]);
  }
});

Deno.test("parseAddress() refuses what is no address", () => {
  const texts = [
    "",
    " ",
    "1.2.3",
    "1.2.3.4.5",
    "1.2.3.256",
    "1.2.3.1000",
    "01.2.3.4",
    "1.2.3.04",
    "0x1.2.3.4",
    "1.2.3.-4",
    "1.2.3.+4",
    "1.2.3.",
    "1..2.3",
    " 1.2.3.4",
    "1.2.3.4 ",
    "1.2.3.4\n",
    "1.2.3.4%eth0",
    "1.2.3.1e1",
    "١.2.3.4",
    "16909060",
    ":",
    ":::",
    "1:2:3:4:5:6:7",
    "1:2:3:4:5:6:7:8:9",
    "1::2::3",
    "1:2:3:4::5:6:7:8",
    "::1:2:3:4:5:6:7:8",
    ":1:2:3:4:5:6:7",
    "1:2:3:4:5:6:7:",
    "12345::",
    "g::",
    "::-1",
    "::1 ",
    "::1\n",
    "[::1]",
    "::1.2.3",
    "::1.2.3.4:5",
    "1.2.3.4::",
    "1:2:3:4:5:6:7:1.2.3.4",
    "::01.2.3.4",
    "fe80::1%",
    "%eth0",
    "::1/128",
    "dyn.example",
  ];
  for (const text of texts) assertEquals([text, parseAddress(text)], [text, undefined]);
});

const GROUP = fc.oneof(fc.constant(0), fc.nat(0xffff));
const GROUPS = fc.array(GROUP, { minLength: 8, maxLength: 8 });
const OCTETS = fc.array(fc.nat(255), { minLength: 4, maxLength: 4 });
/** Eight groups or what looks like them, some written as `::` or as an IPv4 address. */
const IPV6_LIKE = fc.record({
  groups: GROUPS,
  isShort: fc.boolean(),
  octets: fc.option(fc.array(fc.nat(300), { minLength: 4, maxLength: 4 }), { nil: undefined }),
  edits: fc.array(
    fc.tuple(fc.nat(45), fc.constantFrom(..."0123456789abcdefF:::::..."), fc.nat(2)),
    { maxLength: 3 },
  ),
}).map(({ groups, isShort, octets, edits }) => {
  let text = groups.map((group) => group.toString(16)).join(":");
  if (isShort) text = text.replace(/(^|:)(0(:|$))+/, "::");
  if (octets !== undefined) text = text.replace(/:[^:]*:[^:]*$/, `:${octets.join(".")}`);
  for (const [at, character, length] of edits) {
    text = text.slice(0, at) + character + text.slice(at + length);
  }
  return text;
});

Deno.test("parseAddress() takes exactly the IPv6 texts that URLs take, and writes them alike", () => {
  fc.assert(
    fc.property(IPV6_LIKE.filter((text) => text.includes(":")), (text) => {
      const address = parseAddress(text);
      const expected = asInUrl(text);
      if (address?.family === 4) assertEquals(asInUrl(`::ffff:${address.text}`), expected);
      else assertEquals(address?.text, expected);
    }),
    MANY,
  );
});

Deno.test("parseAddress() reads its own canonical text back", () => {
  fc.assert(
    fc.property(OCTETS, GROUPS, (octets, groups) => {
      assertEquals(parseAddress(octets.join("."))?.parts, octets);
      const address = parseAddress(groups.map((group) => group.toString(16)).join(":"))!;
      assertEquals(parseAddress(address.text), address);
    }),
    MANY,
  );
});

Deno.test("parseNetwork() reads an address with the number of its fixed bits", () => {
  const table: [string, string, number][] = [
    ["10.0.0.0/8", "10.0.0.0", 8],
    ["10.1.2.3/8", "10.1.2.3", 8],
    ["0.0.0.0/0", "0.0.0.0", 0],
    ["127.0.0.1", "127.0.0.1", 32],
    ["127.0.0.1/32", "127.0.0.1", 32],
    ["::1", "::1", 128],
    ["::/0", "::", 0],
    ["2001:DB8::/32", "2001:db8::", 32],
    ["::1/128", "::1", 128],
    ["::ffff:10.0.0.0/104", "10.0.0.0", 8],
    ["::ffff:0:0/96", "0.0.0.0", 0],
    ["::ffff:10.0.0.1", "10.0.0.1", 32],
  ];
  for (const [text, address, bits] of table) {
    const network = parseNetwork(text);
    assertEquals([text, network?.address.text, network?.bits], [text, address, bits]);
  }
});

Deno.test("parseNetwork() refuses what is no network", () => {
  const texts = [
    "",
    "/",
    "/8",
    "10.0.0.0/",
    "10.0.0.0/33",
    "10.0.0.0/-1",
    "10.0.0.0/08",
    "10.0.0.0/8.0",
    "10.0.0.0/ 8",
    "10.0.0.0/8/8",
    "10.0.0.0/255.0.0.0",
    "10/8",
    "::/129",
    "::/1000",
    "::ffff:10.0.0.0/95",
    "fe80::1%eth0",
    "fe80::%eth0/10",
    "fe80::/10%eth0",
    "dyn.example",
  ];
  for (const text of texts) assertEquals([text, parseNetwork(text)], [text, undefined]);
});

Deno.test("contains() compares exactly the fixed bits", () => {
  const table: [string, string, boolean][] = [
    ["10.0.0.0/8", "10.255.255.255", true],
    ["10.0.0.0/8", "11.0.0.0", false],
    ["172.16.0.0/12", "172.31.255.255", true],
    ["172.16.0.0/12", "172.32.0.0", false],
    ["192.0.2.7", "192.0.2.7", true],
    ["192.0.2.7", "192.0.2.6", false],
    ["0.0.0.0/0", "203.0.113.7", true],
    ["0.0.0.0/0", "::1", false],
    ["::/0", "127.0.0.1", false],
    ["::/0", "ffff::", true],
    ["2001:db8::/33", "2001:db8:7fff::", true],
    ["2001:db8::/33", "2001:db8:8000::", false],
    ["::ffff:0:0/96", "203.0.113.7", true],
  ];
  for (const [network, address, expected] of table) {
    const is = contains(parseNetwork(network)!, parseAddress(address)!);
    assertEquals([network, address, is], [network, address, expected]);
  }
});

/** Two addresses of one family, which differ in a bit or in none, and a number of bits. */
const NEIGHBOURS = fc.oneof(
  fc.tuple(OCTETS, fc.nat(31), fc.boolean(), fc.nat(32)),
  fc.tuple(GROUPS, fc.nat(127), fc.boolean(), fc.nat(128)),
).map(([parts, bit, differs, bits]) => {
  const width = parts.length === 4 ? 8 : 16;
  const other = [...parts];
  const at = Math.floor(bit / width);
  if (differs) other[at] = other[at]! ^ 1 << bit % width;
  return { parts, other, bits };
});

function isMapped(parts: readonly number[]): boolean {
  return parts.length === 8 && parts.slice(0, 6).join() === "0,0,0,0,0,65535";
}

/** An address in full. */
const full = (parts: readonly number[]) =>
  parts.length === 4 ? parts.join(".") : parts.map((part) => part.toString(16)).join(":");

Deno.test("contains() agrees with the bits as one number, for every CIDR that is written", () => {
  fc.assert(
    // What is IPv4-mapped is of IPv4, and in the tables above.
    fc.property(
      NEIGHBOURS.filter(({ parts, other }) => !isMapped(parts) && !isMapped(other)),
      ({ parts, other, bits }) => {
        const shift = BigInt((parts.length === 4 ? 32 : 128) - bits);
        const expected = bitsOf(parts) >> shift === bitsOf(other) >> shift;
        // What is behind the prefix does not matter, so each may be the network.
        for (const [base, member] of [[parts, other], [other, parts]] as const) {
          const network = parseNetwork(`${full(base)}/${bits}`)!;
          assertEquals(network.bits, bits);
          assertEquals(contains(network, parseAddress(full(member))!), expected);
        }
      },
    ),
    MANY,
  );
});

Deno.test("parseNetwork() takes as many bits as the address has, and no other suffix", () => {
  fc.assert(
    fc.property(
      fc.oneof(fc.ipV4(), fc.ipV6()),
      fc.integer({ min: -10, max: 300 }),
      (text, bits) => {
        const address = parseAddress(text)!;
        const offset = address.family === 4 && text.includes(":") ? 96 : 0;
        const most = address.family === 4 ? 32 + offset : 128;
        const expected = bits >= offset && bits <= most ? bits - offset : undefined;
        assertEquals(parseNetwork(`${text}/${bits}`)?.bits, expected);
        for (
          const suffix of [`/0${bits}`, `/${bits} `, `/${bits}.0`, `/${bits}/${bits}`, "/", "%x/8"]
        ) {
          assertEquals(parseNetwork(text + suffix), undefined);
        }
      },
    ),
    MANY,
  );
});

Deno.test("unusable() says why an address must not be in DNS, local() where it means something", () => {
  const table: [string, string | undefined, string | undefined][] = [
    ["0.0.0.0", "unspecified", undefined],
    ["0.1.2.3", "unspecified", undefined],
    ["::", "unspecified", undefined],
    ["::ffff:0:0", "unspecified", undefined],
    ["169.254.0.1", "link-local", undefined],
    ["169.255.0.1", undefined, undefined],
    ["::ffff:169.254.0.1", "link-local", undefined],
    ["fe80::1", "link-local", undefined],
    ["febf:ffff::", "link-local", undefined],
    ["fe80::1%eth0", "link-local", undefined],
    ["224.0.0.1", "multicast", undefined],
    ["239.255.255.255", "multicast", undefined],
    ["ff02::1", "multicast", undefined],
    ["255.255.255.255", "broadcast", undefined],
    ["2001:db8::1%eth0", "with a zone id", undefined],
    ["127.0.0.1", undefined, "loopback"],
    ["127.255.255.255", undefined, "loopback"],
    ["::1", undefined, "loopback"],
    ["10.0.0.1", undefined, "private"],
    ["172.16.0.1", undefined, "private"],
    ["172.32.0.1", undefined, undefined],
    ["192.168.1.1", undefined, "private"],
    ["192.169.0.1", undefined, undefined],
    ["100.64.0.1", undefined, "private"],
    ["100.128.0.1", undefined, undefined],
    ["fd00::1", undefined, "private"],
    ["fe00::1", undefined, undefined],
    ["203.0.113.7", undefined, undefined],
    ["2001:db8::1", undefined, undefined],
  ];
  for (const [text, why, where] of table) {
    const address = parseAddress(text)!;
    assertEquals([text, unusable(address), local(address)], [text, why, where]);
  }
});
