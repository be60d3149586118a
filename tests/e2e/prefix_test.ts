/** Hosts behind a router, with a BIND and curl. */

import { assertEquals } from "@std/assert";
import type { Named } from "../../tools/named.ts";
import { type Served, withServed } from "./served.ts";
import { curl } from "./sftdyn.ts";

const KEY = "qqqsecret-of-the-router";
const LAN = "qqqsecret-of-the-lan";
const ROUTER = "router.dyn.example";
const CLIENTS = `[clients]
"${KEY}" = { host = "${ROUTER}", address = "request", prefix = { length = 64, hosts = { "nas.dyn.example" = "::1a2b:3c4d:5e6f:7890", "cam.dyn.example" = "eui64:52:54:00:12:34:56" } } }
"${LAN}" = { host = "lan.dyn.example", prefix = { length = 16, hosts = { "tv.lan.dyn.example" = "::42", "tv.other.example" = "::43" } } }
`;

/** The addresses of the router, the NAS and the camera. */
async function household(named: Named): Promise<string[]> {
  const found = [
    named.dig(ROUTER, "A"),
    named.dig(ROUTER, "AAAA"),
    named.dig("nas.dyn.example", "AAAA"),
    named.dig("cam.dyn.example", "AAAA"),
  ];
  return (await Promise.all(found)).map(([address = "none"]) => address);
}

const serial = async (named: Named) =>
  Number((await named.dig("dyn.example", "SOA"))[0]!.split(" ")[2]);

/** What a FRITZ!Box fills in. */
const fritzBox = (ipaddr: string, ip6addr: string, ip6lanprefix: string) =>
  `myip=${ipaddr}&myipv6=${ip6addr}&ip6lanprefix=${ip6lanprefix}`;

const FIRST = [
  "192.0.2.1",
  "2001:db8:1:ee00::1",
  "2001:db8:1:ef00:1a2b:3c4d:5e6f:7890",
  "2001:db8:1:ef00:5054:ff:fe12:3456",
];
const SECOND = [
  "192.0.2.2",
  "2001:db8:2:ee00::1",
  "2001:db8:2:ef00:1a2b:3c4d:5e6f:7890",
  "2001:db8:2:ef00:5054:ff:fe12:3456",
];

const NONE = Array(4).fill("none");

/** What is asked for, the answer, the household's records then, and how many UPDATEs it took. */
type Row = [target: string, answer: string, records: string[], updates: number];

async function checkRows({ named, program, http }: Served, rows: readonly Row[]): Promise<void> {
  let before = await serial(named);
  for (const [target, answer, records, updates] of rows) {
    const asked = await curl("-u", `router:${KEY}`, `http://127.0.0.1:${http}/${target}`);
    const after = await serial(named);
    assertEquals([target, asked, await household(named)], [target, answer, records]);
    assertEquals([target, after - before], [target, updates], program.log());
    before = after;
  }
}

const first = `${KEY}?${fritzBox(FIRST[0]!, FIRST[1]!, "2001:db8:1:ef00::/64")}`;
const query = fritzBox(SECOND[0]!, SECOND[1]!, "2001:db8:2:ef00::/64");

Deno.test("hosts behind a router get its prefix in one UPDATE, in a zone of the configuration", async () => {
  await withServed(`[zones."dyn.example"]\n${CLIENTS}`, async (served) => {
    await checkRows(served, [
      [first, "200 OK", FIRST, 1],
      [`${KEY}?${query}`, "200 OK", SECOND, 1],
      [`${KEY}?offline=YES`, "200 OK", NONE, 1],
    ]);
  });
});

Deno.test("hosts behind a router get its prefix, in zones that must be found", async () => {
  await withServed(
    `dyndns2 = true\n${CLIENTS}`,
    async (served) => {
      const { named, program, http } = served;
      await checkRows(served, [
        [first, "200 OK", FIRST, 1],
        [first, "200 UPTODATE", FIRST, 0],
        [`${KEY}?${query}`, "200 OK", SECOND, 1],
        // The prefix alone, and the router's own addresses alone.
        [`${KEY}?myip=preserve&ip6lanprefix=2001:db8:1:ef00::/64`, "200 OK", [
          ...SECOND.slice(0, 2),
          ...FIRST.slice(2),
        ], 1],
        [`${KEY}?${fritzBox(FIRST[0]!, FIRST[1]!, "<ip6lanprefix>")}`, "200 OK", FIRST, 1],
        [`${KEY}?myip=192.0.2.9&prefix=2001:db8:1:ef00::/65`, "400 BADIP", FIRST, 0],
        [`${KEY}?myip=192.0.2.9&prefix=2001:db8:1:ef00::`, "400 BADIP", FIRST, 0],
        [`${KEY}?myip=192.0.2.9&prefix=${KEY}`, "400 BADIP", FIRST, 0],
        [`${KEY}?myip=192.0.2.9&prefix=fe80::/64`, "400 BADIP", FIRST, 0],
        [
          `nic/update?hostname=${ROUTER}&${query}`,
          `200 good ${SECOND[0]},${SECOND[1]}`,
          SECOND,
          1,
        ],
        [
          `nic/update?hostname=${ROUTER}&${query}`,
          `200 nochg ${SECOND[0]},${SECOND[1]}`,
          SECOND,
          0,
        ],
        [`nic/update?hostname=${ROUTER}&myip=192.0.2.9&prefix=junk`, "200 dnserr", SECOND, 0],
        [`${KEY}?offline=YES`, "200 OK", NONE, 1],
        [`${KEY}?offline=YES`, "200 UPTODATE", NONE, 0],
      ]);
      await program.logged(
        /info: nas\.dyn\.example AAAA 2001:db8:2:ef00:1a2b:3c4d:5e6f:7890 -> none\n/,
      );
      await program.logged(/warning: key [0-9a-f]{8}: what the request names is no prefix\n/);
      // The connection's, of a key that may name none; its hosts are in two zones.
      const lan = async () => [
        ...await named.dig("lan.dyn.example", "AAAA"),
        ...await named.dig("tv.lan.dyn.example", "AAAA"),
        ...await named.dig("tv.other.example", "AAAA"),
      ];
      assertEquals(await curl(`http://127.0.0.1:${http}/${LAN}`), "200 OK");
      assertEquals(await lan(), []);
      assertEquals(await curl(`http://[::1]:${http}/${LAN}`), "200 OK");
      assertEquals(await lan(), ["::1", "::42", "::43"]);
      assertEquals(await curl(`http://[::1]:${http}/${LAN}`), "200 UPTODATE");
    },
    [],
    ["dyn.example", "other.example"],
  );
});
