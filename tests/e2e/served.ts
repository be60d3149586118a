/** A BIND, and a sftdyn before it that serves HTTP and HTTPS to clients on this machine. */

import { assert, assertEquals } from "@std/assert";
import { freePort, type Named, startNamed } from "../../tools/named.ts";
import { at } from "./hosts.ts";
import { makeCertificate, Sftdyn, withFolder } from "./sftdyn.ts";

/** What every key in these tests has in it. */
export const SECRET = "qqqsecret";

export interface Served {
  named: Named;
  program: Sftdyn;
  folder: string;
  http: number;
  https: number;
}

/**
 * @param config its settings, and its clients with their header
 * @param more where it serves HTTP, too
 * @param zones those of the BIND
 */
export async function withServed(
  config: string,
  body: (served: Served) => Promise<void>,
  more: string[] = [],
  zones = ["dyn.example"],
): Promise<void> {
  const named = await startNamed({ zones });
  try {
    await withFolder(async (folder) => {
      await makeCertificate(folder);
      const [http, https] = [freePort(), freePort()];
      await Deno.writeTextFile(
        `${folder}/sftdyn.toml`,
        `http = ${JSON.stringify([`127.0.0.1:${http}`, `[::1]:${http}`, ...more])}
https = ["127.0.0.1:${https}", "[::1]:${https}"]
cert = "cert.pem"
key = "key.pem"
min_interval = 0
${at(named)}
${config}
`,
        { mode: 0o600 },
      );
      const listeners = 4 + more.length;
      const program = await Sftdyn.start(["-v", `${folder}/sftdyn.toml`], { listeners });
      try {
        await body({ named, program, folder, http, https });
      } finally {
        const code = await program.stop();
        const log = program.log();
        assertEquals(code, 0, log);
        assert(!/^ +at /m.test(log), `a stack trace is in the log: ${log}`);
        const secrets = [SECRET, btoa(SECRET).slice(0, 10)];
        for (const secret of secrets) assert(!log.includes(secret), "a key is in the log");
      }
    });
  } finally {
    await named.stop();
  }
}
