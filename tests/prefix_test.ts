import { assertEquals, assertThrows } from "@std/assert";
import { parseAddress, unusable } from "../lib/address.ts";
import {
  join,
  overlaps,
  parseInterfaceId,
  parsePrefix,
  prefixOf,
  prefixText,
} from "../lib/prefix.ts";
import { belowFrom } from "./support.ts";

Deno.test("parsePrefix() takes IPv6 addresses with a length, and cuts them off", () => {
  const table: [text: string, prefix: string | undefined][] = [
    ["2001:db8:1:ef00::/64", "2001:db8:1:ef00::/64"],
    ["2001:DB8:0001::/48", "2001:db8:1::/48"],
    ["2001:db8:1:ef5a:1:2:3:4/56", "2001:db8:1:ef00::/56"],
    ["2001:db8::ffff/127", "2001:db8::fffe/127"],
    ["2001:db8::1/128", "2001:db8::1/128"],
    ["ffff::/1", "8000::/1"],
    ["::/64", "::/64"],
    ["2001:db8::1.2.3.4/112", "2001:db8::102:0/112"],
    ["2001:db8::/0", undefined],
    ["2001:db8::/129", undefined],
    ["2001:db8::/064", undefined],
    ["2001:db8::/+64", undefined],
    ["2001:db8::/-1", undefined],
    ["2001:db8::/6 4", undefined],
    ["2001:db8::/6e1", undefined],
    ["2001:db8::/", undefined],
    ["2001:db8::", undefined],
    ["/64", undefined],
    ["", undefined],
    ["2001:db8::/64/64", undefined],
    ["2001:db8::/64,2001:db8::/64", undefined],
    ["[2001:db8::]/64", undefined],
    ["[2001:db8::/64]", undefined],
    ["2001:db8::%eth0/64", undefined],
    ["2001:db8::/64%eth0", undefined],
    ["2001:db8:1:ef00/64", undefined],
    ["2001:db8:::/64", undefined],
    ["2001:db8::/ffff:ffff::", undefined],
    ["192.0.2.0/24", undefined],
    ["::ffff:192.0.2.0/120", undefined],
    ["::ffff:0:0/96", undefined],
  ];
  for (const [text, expected] of table) {
    const prefix = parsePrefix(text);
    assertEquals([text, prefix && prefixText(prefix)], [text, expected]);
  }
});

Deno.test("parseInterfaceId() takes any form of an IPv6 address, and EUI-64 of a MAC", () => {
  const table: [text: string, address: string][] = [
    ["::1a2b:3c4d:5e6f:7890", "::1a2b:3c4d:5e6f:7890"],
    ["0:0:0:0:1A2B:3C4D:5E6F:7890", "::1a2b:3c4d:5e6f:7890"],
    ["::42", "::42"],
    ["::", "::"],
    ["::5:0:0:0:1", "::5:0:0:0:1"],
    ["::192.0.2.1", "::c000:201"],
    // RFC 4291, appendix A has 34-56-78-9A-BC-DE.
    ["eui64:34-56-78-9A-BC-DE", "::3656:78ff:fe9a:bcde"],
    ["eui64:34:56:78:9a:bc:de", "::3656:78ff:fe9a:bcde"],
    ["EUI64:02:00:00:00:00:01", "::ff:fe00:1"],
  ];
  for (const [text, expected] of table) {
    const address = join(prefixOf(parseAddress("::1")!, 1), parseInterfaceId(text));
    assertEquals([text, address.text], [text, parseAddress(expected)!.text]);
  }
  const id = parseInterfaceId("::ffff:1.2.3.4");
  assertEquals(join(parsePrefix("2001:db8::/64")!, id).text, "2001:db8::ffff:102:304");
});

Deno.test("parseInterfaceId() refuses anything else, without the text", () => {
  const table = [
    "",
    "1a2b:3c4d:5e6f:7890",
    ":1a2b:3c4d:5e6f:7890",
    "::1/64",
    "::1%eth0",
    "[::1]",
    " ::1",
    "::12345",
    "192.0.2.1",
    "5e:6f:78:90:1a:2b",
    "eui64:",
    "eui64:525400123456",
    "eui64:5254.0012.3456",
    "eui64:52:54:00:12:34",
    "eui64:52:54:00:12:34:56:78",
    "eui64:52:54-00:12:34:56",
    "eui64:52:54:00:12:34:5g",
    "eui64:52:54:0:12:34:56",
    "eui64: 52:54:00:12:34:56",
    "eui48:52:54:00:12:34:56",
    "secret",
  ];
  for (const text of table) {
    const { message } = assertThrows(() => parseInterfaceId(text), RangeError);
    assertEquals(message.replace(/".*"/, "…"), "expected an interface id like …", text);
  }
  assertThrows(() => parseInterfaceId("eui64:33:33:00:00:00:01"), RangeError, "of a group");
});

Deno.test("overlaps() tells of bits that the prefix has", () => {
  const table: [id: string, length: number, overlaps: boolean][] = [
    ["::1a2b:3c4d:5e6f:7890", 64, false],
    ["::8000:0:0:0", 64, false],
    ["::8000:0:0:0", 65, true],
    ["::1:0:0:0:0", 64, true],
    ["::1:0:0:0:0", 63, false],
    ["::5:0:0:0:1", 56, false],
    ["::100:0:0:0:1", 56, true],
    ["2001:db8::1", 64, true],
    ["::1", 127, false],
    ["::1", 128, true],
    ["::", 128, false],
    ["8000::", 1, true],
    ["7fff::", 1, false],
    ["eui64:34:56:78:9a:bc:de", 64, false],
    ["eui64:34:56:78:9a:bc:de", 67, true],
  ];
  for (const [id, length, expected] of table) {
    assertEquals([id, length, overlaps(parseInterfaceId(id), length)], [id, length, expected]);
  }
});

Deno.test("join() has the bits of the prefix, then zeros, then the interface id", () => {
  const table: [prefix: string, id: string, address: string][] = [
    ["2001:db8:1:ef00::/64", "::1a2b:3c4d:5e6f:7890", "2001:db8:1:ef00:1a2b:3c4d:5e6f:7890"],
    ["2001:db8:1:ef00::/56", "::42", "2001:db8:1:ef00::42"],
    ["2001:db8:1:ef00::/56", "::5:0:0:0:42", "2001:db8:1:ef05::42"],
    ["2001:db8::/32", "::1:2:3:4:5:6", "2001:db8:1:2:3:4:5:6"],
    ["2001:db8::8000/113", "::42", "2001:db8::8042"],
    ["2001:db8::1/128", "::", "2001:db8::1"],
    ["::/64", "::ffff:192.0.2.1", "192.0.2.1"],
  ];
  for (const [prefix, id, expected] of table) {
    const address = join(parsePrefix(prefix)!, parseInterfaceId(id));
    assertEquals([prefix, id, address.text], [prefix, id, expected]);
  }
});

Deno.test("join() does what big numbers do", () => {
  const seed = Date.now() >>> 0;
  const below = belowFrom(seed);
  const number = (parts: readonly number[]) =>
    parts.reduce((sum, part) => sum << 16n | BigInt(part), 0n);
  for (let round = 0; round < 1000; round++) {
    const length = 1 + below(128);
    const address = Array.from({ length: 8 }, () => below(0x10000).toString(16)).join(":");
    const beyond = (1n << BigInt(128 - length)) - 1n;
    const bits = number(Array.from({ length: 8 }, () => below(0x10000))) & beyond;
    const id = parseInterfaceId(bits.toString(16).padStart(32, "0").match(/.{4}/g)!.join(":"));
    const prefix = parsePrefix(`${address}/${length}`)!;
    assertEquals(overlaps(id, length), false, `seed ${seed}`);
    const joined = join(prefix, id);
    const expected = number(parseAddress(address)!.parts) & ~beyond | bits;
    assertEquals(number(joined.parts), expected, `seed ${seed}`);
    assertEquals(prefixText(prefixOf(joined, length)), prefixText(prefix), `seed ${seed}`);
    assertEquals(parseAddress(joined.text), joined);
    unusable(joined);
  }
});
