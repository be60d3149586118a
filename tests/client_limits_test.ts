import { assertEquals } from "@std/assert";
import { parseAddress, parseNetwork } from "../lib/address.ts";
import { type ClientLimits, isTakenFrom, refusal } from "../lib/client_limits.ts";

Deno.test("isTakenFrom() takes a key from its networks alone, or from anywhere", () => {
  const networks = ["203.0.113.0/24", "2001:db8::/32"].map((text) => parseNetwork(text)!);
  const table: [ClientLimits | undefined, string, boolean][] = [
    [undefined, "192.0.2.1", true],
    [undefined, "", true],
    [{ family: 4 }, "2001:db8::1", true],
    [{ isPublicOnly: true }, "", true],
    [{ networks }, "203.0.113.255", true],
    [{ networks }, "::ffff:203.0.113.1", true],
    [{ networks }, "2001:db8:1::1", true],
    [{ networks }, "203.0.114.0", false],
    [{ networks }, "2001:db9::1", false],
    [{ networks }, "", false],
  ];
  for (const [limits, text, isTaken] of table) {
    const label = `${JSON.stringify(limits)} ${text}`;
    assertEquals([label, isTakenFrom(limits, parseAddress(text))], [label, isTaken]);
  }
});

Deno.test("refusal() says why an address is not for the client", () => {
  const table: [ClientLimits | undefined, string, string | undefined][] = [
    [undefined, "10.0.0.1", undefined],
    [{}, "10.0.0.1", undefined],
    [{ family: 4 }, "192.0.2.1", undefined],
    [{ family: 6 }, "2001:db8::1", undefined],
    [{ family: 4 }, "2001:db8::1", "the client's families have no ipv6"],
    [{ family: 6 }, "192.0.2.1", "the client's families have no ipv4"],
    [{ family: 6 }, "::ffff:192.0.2.1", "the client's families have no ipv4"],
    [{ isPublicOnly: false }, "127.0.0.1", undefined],
    [{ isPublicOnly: true }, "192.0.2.1", undefined],
    [{ isPublicOnly: true }, "2001:db8::1", undefined],
    ...["10.1.2.3", "172.31.0.1", "192.168.0.1", "100.64.0.1", "fd00::1", "::ffff:10.0.0.1"]
      .map((text): [ClientLimits, string, string] => [
        { isPublicOnly: true },
        text,
        "private, and the client has private = false",
      ]),
    ...["127.0.0.1", "::1"].map((text): [ClientLimits, string, string] => [
      { isPublicOnly: true },
      text,
      "loopback, and the client has private = false",
    ]),
    ...["169.254.1.1", "fe80::1"].map((text): [ClientLimits, string, string] => [
      { isPublicOnly: true },
      text,
      "link-local, and the client has private = false",
    ]),
  ];
  for (const [limits, text, said] of table) {
    const label = `${JSON.stringify(limits)} ${text}`;
    assertEquals([label, refusal(limits, parseAddress(text)!)], [label, said]);
  }
});
