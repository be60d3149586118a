/** sftdyn behind a real nginx: one that says whom it asks for, and those that do not. */

import { assertEquals } from "@std/assert";
import { freePort, startNamed } from "../../tools/named.ts";
import { withProxy } from "./proxy.ts";
import { curl, Sftdyn, withFolder } from "./sftdyn.ts";

const FORWARDED = "X-Forwarded-For $proxy_add_x_forwarded_for";
const STANDARD = "Forwarded for=$remote_addr";
const REAL = "X-Real-IP $remote_addr";

/** One of nginx's servers: where it passes requests on to, and with which header. */
interface Proxy {
  port: number;
  to: number;
  header?: string;
}

async function withNginx(folder: string, proxies: Proxy[], body: () => Promise<void>) {
  const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
  await Deno.writeTextFile(
    `${folder}/nginx.conf`,
    `daemon off;
master_process off;
pid ${folder}/nginx.pid;
error_log stderr;
events {}
http {
  access_log off;
  ${temporary.map((name) => `${name}_temp_path ${folder}/${name};`).join("\n  ")}
${
      proxies.map(({ port, to, header }) => `
  server {
    listen 127.0.0.1:${port};
    location / {
      proxy_pass http://127.0.0.1:${to};
      ${header === undefined ? "" : `proxy_set_header ${header};`}
    }
  }`).join("")
    }
}
`,
  );
  const nginx: [string, ...string[]] = [
    "nginx",
    "-p",
    folder,
    "-c",
    `${folder}/nginx.conf`,
    "-e",
    "stderr",
  ];
  await withProxy(nginx, proxies[0]!.port, folder, body);
}

for (
  const [header, setting] of [
    ["X-Forwarded-For", FORWARDED],
    ["X-Real-IP", REAL],
    ["Forwarded", STANDARD],
  ] as const
) {
  Deno.test(`an nginx that sends no ${header} gets FAIL, and the log names what is missing`, async () => {
    const named = await startNamed();
    try {
      await withFolder(async (folder) => {
        const [port, good, silent, empty, chained] = Array.from({ length: 5 }, freePort);
        await Deno.writeTextFile(
          `${folder}/sftdyn.toml`,
          `http = "127.0.0.1:${port}"
nameserver = "127.0.0.1:${named.port}"
nskeyfile = "${named.keyFile}"
min_interval = 0
trusted_proxies = ["127.0.0.1"]
proxy_header = "${header}"
[clients]
"secret" = "host.dyn.example"
`,
          { mode: 0o600 },
        );
        const program = await Sftdyn.start([`${folder}/sftdyn.toml`]);
        try {
          const proxies: Proxy[] = [
            { port: silent!, to: port! },
            { port: empty!, to: port!, header: `${header} ""` },
            // The one in front leaves it out, and the one behind can only name that one.
            { port: chained!, to: good! },
            { port: good!, to: port!, header: setting },
          ];
          await withNginx(folder, proxies, async () => {
            const ask = (port: number, key = "") =>
              curl("--interface", "127.0.0.2", `http://127.0.0.1:${port}/${key}`);
            for (const port of [silent!, empty!, chained!]) {
              assertEquals(await ask(port), "500 FAIL");
              assertEquals(await ask(port, "secret"), "500 FAIL");
            }
            assertEquals(await named.dig("host.dyn.example", "A"), []);
            assertEquals(await ask(good!), "200 127.0.0.2");
            assertEquals(await ask(good!, "secret"), "200 OK");
            assertEquals(await named.dig("host.dyn.example", "A"), ["127.0.0.2"]);
          });
        } finally {
          assertEquals(await program.stop(), 0);
        }
        const warning =
          `warning: the proxy 127.0.0.1 did not say, in ${header}, whom it asks for\n`;
        assertEquals(program.log().split(warning).length - 1, 6, program.log());
      });
    } finally {
      await named.stop();
    }
  });
}
