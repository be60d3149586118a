/**
 * Behind the reverse proxies that people have: nginx, HAProxy and Caddy. Whatever a
 * client sends to them, no request and no address gets to sftdyn that it made up.
 */

import { assert, assertEquals } from "@std/assert";
import { freePort } from "../../tools/named.ts";
import { until } from "../support.ts";
import { withProxy } from "./proxy.ts";
import { loopback, Stranger } from "./stranger.ts";
import { KEY, withVictim } from "./victim.ts";

interface Proxy {
  /** The configuration's file, and how the program is told of it. */
  config: (from: number, to: number, folder: string) => string;
  args: (file: string, folder: string) => string[];
}

const PROXIES: Record<string, Proxy> = {
  nginx: {
    config: (from, to, folder) =>
      `daemon off;
master_process off;
pid ${folder}/pid;
error_log stderr;
events {}
http {
  access_log off;
  client_body_temp_path ${folder}/body;
  proxy_temp_path ${folder}/proxy;
  fastcgi_temp_path ${folder}/fastcgi;
  uwsgi_temp_path ${folder}/uwsgi;
  scgi_temp_path ${folder}/scgi;
  upstream sftdyn { server 127.0.0.1:${to}; keepalive 4; }
  server {
    listen 127.0.0.1:${from};
    location / {
      proxy_pass http://sftdyn;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
    }
  }
}
`,
    args: (file, folder) => ["-p", folder, "-e", "stderr", "-c", file],
  },
  haproxy: {
    config: (from, to) =>
      `defaults
  mode http
  option forwardfor
  http-reuse always
  timeout connect 60s
  timeout client 60s
  timeout server 60s
listen sftdyn
  bind 127.0.0.1:${from}
  server one 127.0.0.1:${to}
`,
    args: (file) => ["-db", "-f", file],
  },
  caddy: {
    config: (from, to, folder) =>
      `{
  admin off
  auto_https off
  storage file_system ${folder}/caddy
}
http://:${from} {
  bind 127.0.0.1
  reverse_proxy 127.0.0.1:${to}
}
`,
    args: (file) => ["run", "--adapter", "caddyfile", "--config", file],
  },
};

/** The address that the client says it has. */
const FORGED = "192.0.2.66";
const SMUGGLED = `GET /${KEY} HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: ${FORGED}\r\n\r\n`;
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

for (const [name, proxy] of Object.entries(PROXIES)) {
  Deno.test(`behind ${name} nobody smuggles a request, or an address`, async () => {
    const settings = 'min_interval = 0\nrecheck = 0\ntrusted_proxies = ["127.0.0.1"]';
    await withVictim(async ({ named, program, folder, http }) => {
      const port = freePort();
      const file = `${folder}/proxy.conf`;
      await Deno.writeTextFile(file, proxy.config(port, http, folder));
      await withProxy([name, ...proxy.args(file, folder)], port, folder, async () => {
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
    }, { settings });
  });
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
