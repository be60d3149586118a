/** What routers and clients send, octet by octet, and what each takes for success. */

import { assert, assertEquals } from "@std/assert";
import { parseHostname } from "../../lib/hostname.ts";
import { parseHead } from "../../lib/http/request_head.ts";
import { parseInterfaceId } from "../../lib/prefix.ts";
import { asker, basic } from "./ask.ts";

const KEY = "4a41c3a8c4b4e58dbbb6ab1ac0ad65ce37b8ad51";
const PLAIN_KEY = "b6ab1ac0ad65ce37b8ad514a41c3a8c4b4e58dbb";
const AUTH = `Authorization: ${basic("router", KEY).authorization}`;
const FROM = "203.0.113.7";

interface Row {
  who: string;
  /** The lines of the head. */
  head: string[];
  /** Whether there is a host behind it. */
  prefix?: true;
  changes: string[];
  /** Whether it is content, as its own source or manual has it. */
  accepts: (status: number, body: string) => boolean;
}

// Each client's own idea of success.
/** It believes any 2xx, and looks the name up in DNS a while later. */
const fritzBox = (status: number) => status === 200;
const anySuccess = (status: number) => status >= 200 && status < 300;
/** inadyn: UniFi has it inside. */
const inadyn = (status: number, body: string) => status === 200 && /good|nochg|OK/.test(body);
/** OpenWrt's ddns-scripts. */
const openWrt = (_status: number, body: string) => /good|nochg/.test(body);
/** pfSense: the whole body is one of the results that are configured as "good %IP%|nochg %IP%". */
const pfSense = (ip: string) => (_status: number, body: string) =>
  [`good ${ip}`, `nochg ${ip}`].includes(body.trim());
const synology = (_status: number, body: string) => /^(good|nochg)\b/.test(body);

const ROWS: Row[] = [
  {
    who: "FRITZ!Box, IPv4 only: what it does not have is empty",
    head: [
      `GET /${KEY}?myip=198.51.100.4&myipv6= HTTP/1.1`,
      "Host: dyn.example:4443",
      "User-Agent: Fritz!Box DDNS/1.0.1",
      "Connection: close",
    ],
    changes: ["home A 198.51.100.4"],
    accepts: fritzBox,
  },
  {
    who: "FRITZ!Box, IPv6 only",
    head: [
      `GET /${KEY}?myip=&myipv6=2001:db8:1:ef00:a96:d7ff:fe12:3456 HTTP/1.1`,
      "Host: dyn.example:4443",
      "User-Agent: Fritz!Box DDNS/1.0.1",
      "Connection: close",
    ],
    changes: ["home AAAA 2001:db8:1:ef00:a96:d7ff:fe12:3456"],
    accepts: fritzBox,
  },
  {
    who: "FRITZ!Box, dual stack",
    head: [
      `GET /${KEY}?myip=198.51.100.4&myipv6=2001:db8:1:ef00::1 HTTP/1.1`,
      "Host: dyn.example:4443",
      "User-Agent: Fritz!Box DDNS/1.0.1",
      "Connection: close",
    ],
    changes: ["home A 198.51.100.4", "home AAAA 2001:db8:1:ef00::1"],
    accepts: fritzBox,
  },
  {
    who: "FRITZ!Box with its prefix in the URL, which names no address",
    head: [
      `GET /${KEY}?myip=198.51.100.4&myipv6=2001:db8:1:ef00::1&ip6lanprefix=2001:db8:1:ef00::/64 HTTP/1.1`,
      "Host: dyn.example:4443",
      "User-Agent: Fritz!Box DDNS/1.0.1",
    ],
    changes: ["home A 198.51.100.4", "home AAAA 2001:db8:1:ef00::1"],
    accepts: fritzBox,
  },
  {
    who: "FRITZ!Box with its prefix in the URL, and hosts behind it",
    head: [
      `GET /${KEY}?myip=198.51.100.4&myipv6=2001:db8:1:ee00::1&ip6lanprefix=2001:db8:1:ef00::/64 HTTP/1.1`,
      "Host: dyn.example:4443",
      "User-Agent: Fritz!Box DDNS/1.0.1",
      "Connection: close",
    ],
    prefix: true,
    changes: [
      "home A 198.51.100.4",
      "home AAAA 2001:db8:1:ee00::1",
      "tv AAAA 2001:db8:1:ef00:1a2b:3c4d:5e6f:7890",
    ],
    accepts: fritzBox,
  },
  {
    who: "FRITZ!Box without IPv6, and hosts behind it",
    head: [
      `GET /${KEY}?myip=198.51.100.4&myipv6=&ip6lanprefix= HTTP/1.1`,
      "Host: dyn.example:4443",
      "User-Agent: Fritz!Box DDNS/1.0.1",
      "Connection: close",
    ],
    prefix: true,
    changes: ["home A 198.51.100.4"],
    accepts: fritzBox,
  },
  {
    who: "FRITZ!Box that does not know a placeholder",
    head: [
      `GET /${KEY}?myip=198.51.100.4&myipv6=%3Cip6addr%3E HTTP/1.1`,
      "Host: dyn.example:4443",
      "User-Agent: Fritz!Box DDNS/1.0.1",
    ],
    changes: ["home A 198.51.100.4"],
    accepts: fritzBox,
  },
  {
    who: "FRITZ!Box, an old one with two URLs",
    head: [
      `GET /${KEY}?myip=198.51.100.4%20https:/dyn.example:4443/${KEY}?myipv6=2001:db8::4 HTTP/1.1`,
      "Host: dyn.example:4443",
      "User-Agent: Fritz!Box DDNS/1.0.1",
    ],
    changes: ["home A 198.51.100.4", "home AAAA 2001:db8::4"],
    accepts: fritzBox,
  },
  {
    who: "FRITZ!Box, an old one with two URLs of a key that may name nothing",
    head: [
      `GET /${PLAIN_KEY}%20http:/ipv6.dyn.example/${PLAIN_KEY} HTTP/1.1`,
      "Host: ipv4.dyn.example",
      "User-Agent: Fritz!Box DDNS/1.0.1",
    ],
    changes: [`plain A ${FROM}`],
    accepts: fritzBox,
  },
  {
    who: "FRITZ!Box, an old one with two dyndns2 URLs",
    head: [
      "GET /nic/update?hostname=home.dyn.example&myip=198.51.100.4" +
      "%20http:/dyn.example/nic/update?hostname=home.dyn.example&myip=2001:db8::4 HTTP/1.1",
      "Host: dyn.example",
      AUTH,
      "User-Agent: Fritz!Box DDNS/1.0.1",
    ],
    changes: ["home A 198.51.100.4", "home AAAA 2001:db8::4"],
    accepts: fritzBox,
  },
  {
    who: "FRITZ!Box with its key in <b64>, filled in",
    head: [
      `GET /${btoa(KEY)}?myip=198.51.100.4 HTTP/1.1`,
      "Host: dyn.example",
      "User-Agent: Fritz!Box DDNS/1.0.1",
    ],
    changes: ["home A 198.51.100.4"],
    accepts: fritzBox,
  },
  {
    who: "FRITZ!Box with user name and <passwd> in <b64>, filled in",
    head: [
      `GET /${btoa(`router:${KEY}`)}?myip=198.51.100.4 HTTP/1.1`,
      "Host: dyn.example",
      "User-Agent: Fritz!Box DDNS/1.0.1",
    ],
    changes: ["home A 198.51.100.4"],
    accepts: fritzBox,
  },
  {
    who: "FRITZ!Box that sends <b64> as it is",
    head: [
      `GET /%3Cb64%3E${KEY}%3C/b64%3E?myip=198.51.100.4 HTTP/1.1`,
      "Host: dyn.example",
      "User-Agent: Fritz!Box DDNS/1.0.1",
    ],
    changes: ["home A 198.51.100.4"],
    accepts: fritzBox,
  },
  {
    who: "UniFi, inadyn 2",
    head: [
      "GET /nic/update?hostname=home.dyn.example&myip=198.51.100.4 HTTP/1.0",
      "Host: dyn.example",
      AUTH,
      "User-Agent: inadyn/2.10.0 https://github.com/troglobit/inadyn/issues",
    ],
    changes: ["home A 198.51.100.4"],
    accepts: inadyn,
  },
  {
    who: "OpenWrt's ddns-scripts with curl",
    head: [
      "GET /nic/update?hostname=home.dyn.example&myip=198.51.100.4 HTTP/1.1",
      "Host: dyn.example:4443",
      AUTH,
      "User-Agent: curl/8.7.1",
      "Accept: */*",
    ],
    changes: ["home A 198.51.100.4"],
    accepts: openWrt,
  },
  {
    who: "OpenWrt's ddns-scripts with wget, IPv6",
    head: [
      "GET /nic/update?hostname=home.dyn.example&myip=2001:db8::4 HTTP/1.1",
      "Host: dyn.example:4443",
      "User-Agent: Wget/1.21.4",
      "Accept: */*",
      "Accept-Encoding: identity",
      AUTH,
      "Connection: Keep-Alive",
    ],
    changes: ["home AAAA 2001:db8::4"],
    accepts: openWrt,
  },
  {
    who: "OpenWrt's ddns-scripts with uclient-fetch",
    head: [
      "GET /nic/update?hostname=home.dyn.example&myip=198.51.100.4 HTTP/1.1",
      "Host: dyn.example",
      "User-Agent: uclient-fetch",
      AUTH,
    ],
    changes: ["home A 198.51.100.4"],
    accepts: openWrt,
  },
  {
    who: "OpenWrt's ddns-scripts with busybox wget",
    head: [
      "GET /nic/update?hostname=home.dyn.example&myip=198.51.100.4 HTTP/1.1",
      "Host: dyn.example",
      "User-Agent: Wget",
      AUTH,
      "Connection: close",
    ],
    changes: ["home A 198.51.100.4"],
    accepts: openWrt,
  },
  {
    who: "OPNsense's native backend",
    head: [
      "GET /nic/update?hostname=home.dyn.example%2Cnas.dyn.example&myip=2001%3Adb8%3A%3A4&wildcard=NOCHG HTTP/1.1",
      "Host: dyn.example",
      "User-Agent: OPNsense-dyndns",
      "Accept-Encoding: gzip, deflate",
      "Accept: */*",
      "Connection: keep-alive",
      AUTH,
    ],
    changes: ["home AAAA 2001:db8::4", "nas AAAA 2001:db8::4"],
    accepts: anySuccess,
  },
  {
    who: "pfSense, a custom type",
    head: [
      "GET /nic/update?hostname=home.dyn.example&myip=198.51.100.4 HTTP/1.1",
      "Host: dyn.example:4443",
      AUTH,
      "User-Agent: phpDynDNS/0.7 (pfSense 2.7.2 http://www.phpdyndns.com/)",
      "Accept: */*",
    ],
    changes: ["home A 198.51.100.4"],
    accepts: pfSense("198.51.100.4"),
  },
  {
    who: "MikroTik's fetch",
    head: [
      "GET /nic/update?hostname=home.dyn.example HTTP/1.1",
      AUTH,
      "Connection: close",
      "Host: dyn.example:4443",
      "User-Agent: Mikrotik/7.x Fetch",
    ],
    changes: [`home A ${FROM}`],
    accepts: anySuccess,
  },
  {
    who: "Synology, a custom provider",
    head: [
      "GET /nic/update?hostname=home.dyn.example&myip=198.51.100.4 HTTP/1.1",
      "Host: dyn.example:4443",
      AUTH,
      "User-Agent: DSM Client",
      "Accept: */*",
    ],
    changes: ["home A 198.51.100.4"],
    accepts: synology,
  },
  {
    who: "DD-WRT, an old inadyn",
    head: [
      "GET /nic/update?hostname=home.dyn.example&myip=198.51.100.4 HTTP/1.0",
      "Host: dyn.example",
      AUTH,
      "User-Agent: inadyn-mt/2.24.36",
    ],
    changes: ["home A 198.51.100.4"],
    accepts: inadyn,
  },
  {
    who: "ddclient 3.10, two hosts",
    head: [
      "GET /nic/update?system=dyndns&hostname=home.dyn.example,nas.dyn.example&myip=198.51.100.4 HTTP/1.1",
      "Host: dyn.example",
      AUTH,
      "User-Agent: ddclient/3.10.0",
      "Connection: close",
    ],
    changes: ["home A 198.51.100.4", "nas A 198.51.100.4"],
    accepts: (status, body) =>
      anySuccess(status) && /^(good|nochg) \S+\n(good|nochg) \S+$/.test(body),
  },
  {
    who: "ddclient 4, both families",
    head: [
      "GET /nic/update?hostname=home.dyn.example&myip=198.51.100.4,2001:db8::4 HTTP/1.1",
      "Host: dyn.example",
      AUTH,
      "User-Agent: ddclient/4.0.0",
      "Connection: close",
    ],
    changes: ["home A 198.51.100.4", "home AAAA 2001:db8::4"],
    accepts: (status, body) => anySuccess(status) && /^(good|nochg)\b/.test(body),
  },
];

const PREFIX = {
  length: 64,
  hosts: [{
    name: parseHostname("tv.dyn.example"),
    id: parseInterfaceId("::1a2b:3c4d:5e6f:7890"),
  }],
};

for (const { who, head, prefix, changes, accepts } of ROWS) {
  Deno.test(`${who}: it gets what it takes for success, first and again`, async () => {
    for (const result of ["OK", "UPTODATE"] as const) {
      const ask = asker({
        clients: {
          [KEY]: {
            hosts: ["home", "nas"].slice(0, changes.some((c) => /^nas/.test(c)) ? 2 : 1),
            address: "request",
            prefix: prefix && PREFIX,
          },
          [PLAIN_KEY]: { hosts: ["plain"] },
        },
        paths: ["/nic/update"],
        results: { home: result, nas: result, plain: result, tv: result },
      });
      const octets = new TextEncoder().encode(`${head.join("\r\n")}\r\n\r\n`);
      const request = parseHead(octets);
      assert(typeof request === "object", `refused: ${request}`);
      const headers = Object.fromEntries(request.headers);
      const asked = await ask(request.target, headers, FROM, request.method);
      assertEquals(asked.changes, changes);
      const status = Number(asked.answer.slice(0, 3));
      assert(accepts(status, asked.answer.slice(4)), `it does not accept ${asked.answer}`);
      assertEquals(asked.lines, []);
    }
  });
}
