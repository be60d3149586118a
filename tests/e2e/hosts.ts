/** sftdyn with hosts to update, whose requests can have any address: 127.0.0.1 is a proxy. */

import { assert, assertEquals } from "@std/assert";
import { freePort, type Named } from "../../tools/named.ts";
import { within } from "../support.ts";
import { Sftdyn, until, withFolder } from "./sftdyn.ts";

/** A host, whose name is its key, too; or a key and its hosts. */
export type Client = string | [key: string, hosts: string[]];

export interface Hosts {
  /** The one that runs, after a restart another. */
  program: Sftdyn;
  readonly port: number;
  /** Requests a key from an address; the answer's body. */
  update: (key: string, address: string) => Promise<string>;
  /** Has it go on with other settings. */
  configure: (settings: string) => Promise<void>;
  /** Ends it and starts it again. */
  restart: () => Promise<void>;
}

/** The settings that lead to a nameserver. */
export function at({ port, keyFile }: Pick<Named, "port" | "keyFile">): string {
  return `nameserver = "127.0.0.1:${port}"\nnskeyfile = "${keyFile}"`;
}

export async function writeConfig(
  file: string,
  port: number,
  settings: string,
  clients: Iterable<Client>,
): Promise<void> {
  const lines = [...clients].map((client) => {
    const [key, hosts] = typeof client === "string" ? [client, client] : client;
    return `${JSON.stringify(key)} = ${JSON.stringify(hosts)}\n`;
  });
  await Deno.writeTextFile(
    file,
    `http = "127.0.0.1:${port}"
trusted_proxies = ["127.0.0.1"]
${/^min_interval/m.test(settings) ? "" : "min_interval = 0"}
${settings}
[clients]
${lines.join("")}`,
    { mode: 0o600 },
  );
}

/** Runs sftdyn; each time that it ends, `ended` gets its log. */
export async function withHosts(
  settings: string,
  clients: Iterable<Client>,
  body: (hosts: Hosts) => Promise<void>,
  { ended, ...options }: Deno.CommandOptions & { ended?: (log: string) => void } = {},
): Promise<void> {
  await withFolder(async (folder) => {
    const port = freePort();
    const file = `${folder}/sftdyn.toml`;
    await writeConfig(file, port, settings, clients);
    const start = () => Sftdyn.start(["-v", file], options);
    const stop = async () => {
      const code = await hosts.program.stop();
      const log = hosts.program.log();
      assertEquals(code, 0, log);
      assert(!/^ +at /m.test(log), `a stack trace: ${log}`);
      ended?.(log);
    };
    const client = Deno.createHttpClient({ poolMaxIdlePerHost: 400 });
    const hosts: Hosts = {
      program: await start(),
      port,
      async update(key, address) {
        const headers = { "X-Forwarded-For": address };
        const asking = fetch(`http://127.0.0.1:${port}/${key}`, { headers, client });
        return await (await within(asking, `an answer for ${key}`)).text();
      },
      async configure(settings) {
        await writeConfig(file, port, settings, clients);
        const before = hosts.program.count(/reloaded/g);
        hosts.program.kill("SIGHUP");
        await until("it is reloaded", () => hosts.program.count(/reloaded/g) > before);
      },
      async restart() {
        await stop();
        hosts.program = await start();
      },
    };
    try {
      await body(hosts);
    } finally {
      client.close();
      await stop();
    }
  });
}
