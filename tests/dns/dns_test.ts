import { assert, assertEquals, assertThrows } from "@std/assert";
import {
  addressText,
  decodeReply,
  type DnsRecord,
  encodeQuery,
  type RecordType,
} from "../../lib/dns/dns.ts";
import { belowFrom } from "../support.ts";

const AAAA = "20010db8000000000000000000000001";
/** example. */
const EXAMPLE = "07 6578616d706c65 00";
/** a.dyn.example.: "dyn" stands at 14, "example" at 18. */
const NAME = `01 61 03 64796e ${EXAMPLE}`;

function hex(text: string): Uint8Array {
  return Uint8Array.fromHex(text.replace(/\s/g, ""));
}

function record(name: string, type: number, data: Uint8Array): DnsRecord {
  return { name, type, data };
}

Deno.test("encodeQuery() writes one question without recursion", () => {
  const table: [number, string, RecordType, string][] = [
    [0x1234, "a.dyn.example", "A", `1234 0000 0001 0000 0000 0000 ${NAME} 0001 0001`],
    [0xffff, "a.dyn.example.", "AAAA", `ffff 0000 0001 0000 0000 0000 ${NAME} 001c 0001`],
    [0, "example", "SOA", `0000 0000 0001 0000 0000 0000 ${EXAMPLE} 0006 0001`],
    [1, "", "CNAME", "0001 0000 0001 0000 0000 0000 00 0005 0001"],
  ];
  for (const [id, name, type, message] of table) {
    assertEquals(new Uint8Array(encodeQuery(id, name, type)), hex(message));
  }
});

Deno.test("decodeReply() reads an answer with compressed names", () => {
  const message = hex(`
    1234 8400 0001 0003 0001 0000
    ${NAME} 001c 0001
    c00c 001c 0001 0000001e 0010 ${AAAA}
    01 42 c00e 0001 0001 0000001e 0004 c0000201
    c012 0063 0001 00000000 0000
    c00e 0006 0001 0000003c 0002 c012`);
  assertEquals(decodeReply(message), {
    id: 0x1234,
    rcode: "NOERROR",
    authoritative: true,
    answers: [
      record("a.dyn.example", 28, hex(AAAA)),
      record("b.dyn.example", 1, hex("c0000201")),
      record("example", 99, hex("")),
    ],
    authority: [record("dyn.example", 6, hex("c012"))],
  });
});

Deno.test("decodeReply() reads a part of a larger buffer, with names in capitals and of the root", () => {
  const message = hex("ffff 0001 8000 0000 0001 0000 0000 00 0006 0001 00000000 0001 41 ffff");
  assertEquals(decodeReply(message.subarray(2, -2)), {
    id: 1,
    rcode: "NOERROR",
    authoritative: false,
    answers: [record("", 6, hex("41"))],
    authority: [],
  });
  const capitals = hex("0001 8000 0000 0001 0000 0000 01 41 01 5a 00 0001 0001 00000000 0000");
  assertEquals(decodeReply(capitals).answers[0]?.name, "a.z");
});

Deno.test("decodeReply() names the response codes of RFC 1035 and RFC 2136", () => {
  const names =
    "NOERROR FORMERR SERVFAIL NXDOMAIN NOTIMP REFUSED YXDOMAIN YXRRSET NXRRSET NOTAUTH " +
    "NOTZONE 11 12 13 14 15";
  for (const [code, name] of names.split(" ").entries()) {
    const message = hex(`0000 80f${code.toString(16)} 0000 0000 0000 0000`);
    assertEquals(decodeReply(message).rcode, name);
  }
});

Deno.test("decodeReply() reads the longest name that there can be, also through a pointer", () => {
  // 127 labels of one letter are 254 octets, and the root is the 255th (RFC 1035, section 2.3.4).
  const message = hex(`
    0001 8000 0001 0001 0000 0000
    ${"0161".repeat(127)} 00 0001 0001
    c00c 0001 0001 00000000 0004 c0000201`);
  const name = Array(127).fill("a").join(".");
  assertEquals(decodeReply(message).answers, [record(name, 1, hex("c0000201"))]);
});

Deno.test("decodeReply() refuses what is no reply", () => {
  const texts = [
    "",
    "0001",
    "0001 8000 0000 0000 0000 00", // a header too short
    "0001 0000 0000 0000 0000 0000", // a query
    "0001 8000 0001 0000 0000 0000", // a question, but none there
    "0001 8000 0000 0001 0000 0000", // a record, but none there
    "0001 8000 0000 0000 0001 0000",
    "0001 8000 0000 0001 0000 0000 05 6161", // a label beyond the end
    "0001 8000 0000 0001 0000 0000 c0", // half a pointer
    "0001 8000 0000 0001 0000 0000 c0ff 0001 0001 00000000 0000", // a pointer beyond the end
    "0001 8000 0000 0001 0000 0000 c00c 0001 0001 00000000 0000", // a pointer to itself
    "0001 8000 0000 0001 0000 0000 0161 c00c 0001 0001 00000000 0000", // a loop
    "0001 8000 0000 0001 0000 0000 00 0001 0001 00000000 0004 c00002", // data beyond the end
    "0001 8000 0000 0001 0000 0000 00 0001 0001 00000000", // no length
    // Label types 01 and 10 do not exist (RFC 1035, section 4.1.4).
    `0001 8000 0000 0001 0000 0000 40 ${"61".repeat(64)} 00 0001 0001 00000000 0000`,
    `0001 8000 0000 0001 0000 0000 80 ${"61".repeat(128)} 00 0001 0001 00000000 0000`,
  ];
  const isRefused = (text: string) => {
    try {
      decodeReply(hex(text));
      return false;
    } catch (error) {
      return error instanceof RangeError;
    }
  };
  assertEquals(texts.filter(isRefused), texts);
});

Deno.test("decodeReply() throws nothing but a RangeError, whatever the bytes", () => {
  const good = hex(`
    1234 8400 0001 0001 0001 0000 ${NAME} 001c 0001
    c00c 001c 0001 0000001e 0010 ${AAAA} c00e 0006 0001 0000003c 0002 c012`);
  for (let length = 0; length < good.length; length++) {
    assertThrows(() => decodeReply(good.subarray(0, length)), RangeError);
  }
  const seed = Date.now() >>> 0;
  const below = belowFrom(seed);
  for (let i = 0; i < 3000; i++) {
    const message = good.slice();
    for (let edits = below(5) === 0 ? 200 : 4; edits > 0; edits--) {
      message[below(message.length)] = [0, 0xc0, 12, below(256)][below(4)]!;
    }
    try {
      decodeReply(message);
    } catch (error) {
      assert(error instanceof RangeError, `seed ${seed}: ${message.toHex()}: ${error}`);
    }
  }
});

Deno.test("addressText() reads the data of A and AAAA records only", () => {
  const table: [number, string, string | undefined][] = [
    [1, "c0000201", "192.0.2.1"],
    [1, "00000000", "0.0.0.0"],
    [28, AAAA, "2001:db8:0:0:0:0:0:1"],
    [28, "ff".repeat(16), "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"],
    [1, "c00002", undefined],
    [1, AAAA, undefined],
    [28, "c0000201", undefined],
    [28, "", undefined],
    [5, "c0000201", undefined],
    [6, AAAA, undefined],
  ];
  for (const [type, data, text] of table) {
    assertEquals([type, data, addressText(record("a.example", type, hex(data)))], [
      type,
      data,
      text,
    ]);
  }
});
