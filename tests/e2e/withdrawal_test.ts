/** Addresses of hosts that do not call, in a BIND: sftdyn in this process, as its clock is the test's. */

import { assertEquals, assertMatch } from "@std/assert";
import { loadConfig } from "../../lib/config/config.ts";
import { createLog } from "../../lib/log.ts";
import { startService } from "../../lib/service.ts";
import { freePort, output, startNamed } from "../../tools/named.ts";
import { at } from "./hosts.ts";
import { until, withFolder } from "./sftdyn.ts";

const HOUR = 3_600_000, DAY = 24 * HOUR;

Deno.test("a host that does not call for withdraw_after loses its addresses in a BIND, until it calls", async () => {
  const named = await startNamed();
  try {
    await withFolder(async (folder) => {
      const port = freePort();
      const file = `${folder}/sftdyn.toml`;
      const write = (...clients: string[]) =>
        Deno.writeTextFile(
          file,
          `http = "127.0.0.1:${port}"\nmin_interval = 0\n${at(named)}\nwithdraw_after = "30d"\n` +
            `[clients]\n${clients.join("\n")}\n`,
        );
      let lines = "";
      let passed = 0;
      await write(
        '"home" = { host = "home.dyn.example", address = "request" }',
        '"calls" = "calls.dyn.example"',
        '"exempt" = { host = "exempt.dyn.example", withdraw_after = "never" }',
        '"leaves" = "leaves.dyn.example"',
      );
      const service = await startService({
        version: "0",
        load: () => loadConfig(file),
        log: createLog({ write: (text) => void (lines += text) }),
        withdrawalInterval: 10,
        clock: () => performance.now() + passed,
      });
      const call = async (key: string) =>
        assertMatch(await output("curl", "-sS", `http://127.0.0.1:${port}/${key}`), /^(OK|UPTO)/);
      const a = async (label: string) => (await named.dig(`${label}.dyn.example`, "A")).join();
      const withdrawn = () => lines.match(/\S+ \S+ \S+ -> none.*/g)?.sort() ?? [];
      try {
        await call("home?myip=192.0.2.1&myipv6=2001:db8::1");
        for (const key of ["calls", "exempt", "leaves"]) await call(key);
        passed = 29 * DAY;
        await call("calls");
        await call("leaves");
        passed += DAY;
        await until("home is withdrawn", () => withdrawn().length >= 2);
        assertEquals(withdrawn(), [
          "home.dyn.example A 192.0.2.1 -> none (no call for 30 days)",
          "home.dyn.example AAAA 2001:db8::1 -> none (no call for 30 days)",
        ]);
        assertEquals(await named.dig("home.dyn.example", "AAAA"), []);
        assertEquals(
          [await a("home"), await a("calls"), await a("exempt"), await a("leaves")],
          ["", "127.0.0.1", "127.0.0.1", "127.0.0.1"],
        );
        await call("home?myip=192.0.2.2");
        assertEquals(await a("home"), "192.0.2.2");

        // One that comes back counts from then on, and what a client may have is what is written now.
        await write('"exempt" = { host = "exempt.dyn.example", withdraw_after = "never" }');
        await service.reload();
        passed += 40 * DAY;
        await write('"exempt" = "exempt.dyn.example"', '"leaves" = "leaves.dyn.example"');
        await service.reload();
        await until("exempt is withdrawn", () => withdrawn().length >= 3);
        passed += 29 * DAY;
        await write('"leaves" = { host = "leaves.dyn.example", withdraw_after = "29d" }');
        assertEquals([await a("exempt"), await a("leaves")], ["", "127.0.0.1"]);
        await service.reload();
        await until("leaves is withdrawn", () => withdrawn().length >= 4);
        assertEquals(withdrawn().slice(0, 1).concat(withdrawn().slice(3)), [
          "exempt.dyn.example A 127.0.0.1 -> none (no call for 70 days)",
          "leaves.dyn.example A ? -> none (no call for 29 days)",
        ]);
      } finally {
        await service.stop(10_000);
      }
      assertEquals(/error/.test(lines), false, lines);
    });
  } finally {
    await named.stop();
  }
});
