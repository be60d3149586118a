/**
 * Behind the reverse proxies that people have, set up as the README says. Whatever a
 * client sends to them, no request and no address gets to sftdyn that it made up.
 */

import { assert, assertEquals } from "@std/assert";
import { freePort } from "../../tools/named.ts";
import { until } from "../support.ts";
import { HEADERS, REVERSE_PROXIES, withReverseProxy } from "./reverse_proxies.ts";
import { curl } from "./sftdyn.ts";
import { loopback, Stranger } from "./stranger.ts";
import { KEY, withVictim } from "./victim.ts";

/** The address that the client says it has. */
const FORGED = "192.0.2.66";
const SMUGGLED =
  `GET /${KEY} HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: ${FORGED}\r\nForwarded: for=${FORGED}\r\n\r\n`;
const LENGTH = `Content-Length: ${SMUGGLED.length}\r\n`;
const CHUNKED = "Transfer-Encoding: chunked\r\n";
const chunk = `${SMUGGLED.length.toString(16)}\r\n${SMUGGLED}\r\n0\r\n\r\n`;

/** Requests in whose bodies another one is, where two who read it could disagree. */
const REQUESTS: string[] = [
  `POST / HTTP/1.1\r\nHost: x\r\n${LENGTH}\r\n${SMUGGLED}`,
  `GET / HTTP/1.1\r\nHost: x\r\n${LENGTH}\r\n${SMUGGLED}`,
  `POST / HTTP/1.1\r\nHost: x\r\n${CHUNKED}\r\n${chunk}`,
  `POST / HTTP/1.1\r\nHost: x\r\n${CHUNKED}Content-Length: 4\r\n\r\n${chunk}`,
  `POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n${CHUNKED}\r\n${chunk}`,
  `POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n${LENGTH}\r\n${SMUGGLED}`,
  `POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0, ${SMUGGLED.length}\r\n\r\n${SMUGGLED}`,
  `POST / HTTP/1.1\r\nHost: x\r\nContent-Length: +${SMUGGLED.length}\r\n\r\n${SMUGGLED}`,
  `POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: xchunked\r\n${LENGTH}\r\n${SMUGGLED}`,
  `POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding : chunked\r\n${LENGTH}\r\n${SMUGGLED}`,
  `POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: identity, chunked\r\n${LENGTH}\r\n${SMUGGLED}`,
  `POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding:\tchunked\r\n${LENGTH}\r\n${SMUGGLED}`,
  `POST / HTTP/1.0\r\nHost: x\r\n${CHUNKED}${LENGTH}\r\n${SMUGGLED}`,
  `POST / HTTP/1.1\r\nHost: x\r\nConnection: Transfer-Encoding\r\n${CHUNKED}${LENGTH}\r\n${chunk}`,
  `GET / HTTP/1.1\r\nHost: x\r\nConnection: X-Forwarded-For\r\nX-Forwarded-For: ${FORGED}\r\n\r\n`,
  `GET /${KEY} HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: ${FORGED}\r\n\r\n`,
  `GET /${KEY} HTTP/1.1\r\nHost: x\r\nX_Forwarded_For: ${FORGED}\r\n\r\n`,
  `GET /${KEY} HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: ${FORGED}\r\nx-forwarded-for: ${FORGED}\r\n\r\n`,
  `GET /${KEY} HTTP/1.1\r\nHost: x\r\nX-Real-IP: ${FORGED}\r\nForwarded: for=${FORGED}\r\n\r\n`,
  `GET / HTTP/1.1\r\nHost: x\r\nA: b\rX-Forwarded-For: ${FORGED}\r\n\r\n`,
  `GET / HTTP/1.1\r\nHost: x\r\nA: b\n X-Forwarded-For: ${FORGED}\r\n\r\n`,
  `GET / HTTP/1.1\r\nHost: x\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n${SMUGGLED}`,
  `GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n${SMUGGLED}`,
  `GET / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n${LENGTH}\r\n${SMUGGLED}`,
];

const KINDS = REVERSE_PROXIES.flatMap((proxy) => HEADERS.map((header) => [proxy, header] as const));
const settingsFor = (header: string) =>
  `min_interval = 0\nrecheck = 0\ntrusted_proxies = ["127.0.0.1"]\nproxy_header = "${header}"`;

for (const [proxy, header] of KINDS) {
  Deno.test(`behind ${proxy} with ${header} nobody smuggles a request, or an address`, async () => {
    await withVictim(async ({ named, program, folder, http }) => {
      const port = freePort();
      await withReverseProxy(proxy, header, { from: port, to: http, folder }, async () => {
        for (const [i, request] of REQUESTS.entries()) {
          const client = loopback(i);
          await attack(port, client, request);
          // Whoever comes next, perhaps on the same connection to sftdyn, has the answer to its own request.
          const next = loopback(100 + i);
          const own = await exchange(port, next, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
          assert(own.endsWith(`\r\n\r\n${next}`), `after ${request}: ${own}`);
          const [address] = await named.dig("host.dyn.example", "A");
          assert(address === undefined || address.startsWith("127.1."), `${address}: ${request}`);
        }
        const update = await exchange(
          port,
          loopback(200),
          `GET /${KEY} HTTP/1.1\r\nHost: x\r\n\r\n`,
        );
        assert(update.endsWith("\r\n\r\nOK"), update);
        assertEquals(await named.dig("host.dyn.example", "A"), [loopback(200)]);
        assertEquals(program.count(new RegExp(`set to ${FORGED}`, "g")), 0);
      });
    }, { settings: settingsFor(header) });
  });
}

/** What clients send along to be taken for somebody else, or for a proxy. */
const FORGERIES: string[][] = [
  [`X-Forwarded-For: ${FORGED}`],
  [`X-Forwarded-For: ${FORGED}, 127.0.0.1`],
  [`X-Forwarded-For: ${FORGED}`, `x-forwarded-for: ${FORGED}`],
  ["X-Forwarded-For: 127.0.0.1"],
  ["X-Forwarded-For: junk"],
  ["X-Forwarded-For;"],
  [`X_Forwarded_For: ${FORGED}`],
  [`X-Real-IP: ${FORGED}`],
  [`Forwarded: for=${FORGED}`],
  [`Forwarded: for=${FORGED}, for=127.0.0.1`],
  [`Forwarded: for=${FORGED}`, `forwarded: for=${FORGED}`],
  [`Forwarded: for=${FORGED}, for="`],
  [`Forwarded: for=${FORGED};x="\\`],
  ["Forwarded: for=127.0.0.1"],
  ["Forwarded: for=unknown"],
  ["Forwarded;"],
  [`Connection: X-Forwarded-For, Forwarded`],
  [`Connection: X-Forwarded-For`, `X-Forwarded-For: ${FORGED}`],
  [`Connection: Forwarded`, `Forwarded: for=${FORGED}`],
];

/** Keys that some proxies would write in another way, or take for a path. */
const KEYS = [
  "?hostname=h.example&password=p%2Cq",
  "a?",
  "a,b;c=d",
  "a%2Cb",
  "a%2Fb%2fc",
  "a%20b+c",
  "a%25b",
  "%7Ea",
  "a//b",
  "a/./b",
  "a/../b",
  "a/b/",
  "(a)*!'$@:&=",
];

for (const [proxy, header] of KINDS) {
  Deno.test(`behind ${proxy} with ${header} clients are who they are, and keys what they sent`, async () => {
    const clients = KEYS.map((key, i) => `${JSON.stringify(key)} = "k${i}.dyn.example"\n`).join("");
    await withVictim(async ({ named, program, folder, http }) => {
      const port = freePort();
      await withReverseProxy(proxy, header, { from: port, to: http, folder }, async () => {
        const families = [["127.0.0.2", "127.0.0.1", "A"], ["::1", "[::1]", "AAAA"]] as const;
        for (const [client, server, type] of families) {
          const ask = (key: string, ...headers: string[]) =>
            curl(
              // In a URL, later versions of curl leave out a "?" at the end.
              ...["--request-target", `/${key}`, "--interface", client],
              ...headers.flatMap((header) => ["-H", header]),
              `http://${server}:${port}/`,
            );
          for (const forgery of FORGERIES) {
            const answer = await ask("", ...forgery);
            // Some leave out what a client names in Connection, also where they wrote it.
            const isSafe = forgery[0]!.startsWith("Connection") && answer === "500 FAIL";
            assert(isSafe || answer === `200 ${client}`, `${forgery.join("; ")}: ${answer}`);
          }
          for (const [i, key] of KEYS.entries()) {
            const answer = await ask(key, `${header}: ${FORGED}`);
            assertEquals([key, answer], [key, "200 OK"]);
            assertEquals([key, ...await named.dig(`k${i}.dyn.example`, type)], [key, client]);
          }
        }
        // From the proxy's own machine, by the address that is trusted.
        assertEquals(
          await curl("-H", `${header}: ${FORGED}`, `http://127.0.0.1:${port}/`),
          "500 FAIL",
        );
        assert(!program.log().includes(FORGED), program.log());
      });
    }, { settings: settingsFor(header), clients });
  });
}

for (const header of HEADERS) {
  Deno.test(`HAProxy's health check with ${header} finds sftdyn well`, async () => {
    await withVictim(async ({ program, folder, http }) => {
      const port = freePort();
      await withReverseProxy("haproxy", header, { from: port, to: http, folder }, async () => {
        await until("a health check", async () => /,L7OK,200,/.test(await stats(folder)));
        assertEquals(
          await curl("--interface", "127.0.0.2", `http://127.0.0.1:${port}/`),
          "200 127.0.0.2",
        );
        assertEquals(program.count(/warning/g), 0, program.log());
      });
    }, { settings: settingsFor(header) });
  });
}

/** What HAProxy says of itself. */
async function stats(folder: string): Promise<string> {
  const conn = await Deno.connect({ transport: "unix", path: `${folder}/haproxy.sock` });
  await conn.write(new TextEncoder().encode("show stat\n"));
  return await new Response(conn.readable).text();
}

/** Sends it, and waits for an answer, or for being refused. */
async function attack(port: number, from: string, request: string): Promise<void> {
  const stranger = new Stranger(port, from);
  stranger.send(request);
  await until("an answer or the end", () => stranger.isEnded || stranger.receive() !== undefined);
  // What follows it may be taken for a request of somebody else.
  stranger.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  stranger.close();
}

/** The answer to a request, whole. */
async function exchange(port: number, from: string, request: string): Promise<string> {
  const stranger = new Stranger(port, from);
  stranger.send(request);
  const decoder = new TextDecoder();
  let answer = "";
  await until("an answer", () => {
    const { isEnded } = stranger;
    answer += decoder.decode(stranger.receive());
    const [head, length] = /^[^]*\r\ncontent-length: (\d+)\r\n(?:[^]*?\r\n)?\r\n/i.exec(answer) ??
      [];
    return isEnded || head !== undefined && answer.length >= head.length + Number(length);
  });
  stranger.close();
  return answer;
}
