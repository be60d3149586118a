/** Clients in a file of their own, and clients that may not do everything, with a BIND and curl. */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { digest, keyId } from "../../lib/clients.ts";
import { freePort, type Named, startNamed } from "../../tools/named.ts";
import { at } from "./hosts.ts";
import { curl, Sftdyn, sftdyn, until, withFolder } from "./sftdyn.ts";

interface Running {
  named: Named;
  program: Sftdyn;
  folder: string;
  /** Requests a key as if from an address; status and body. */
  get: (key: string, address: string) => Promise<string>;
}

/** sftdyn at a BIND, where 127.0.0.1 is a proxy, so that a request can have any address. */
async function withRunning(
  settings: string,
  file: string,
  body: (running: Running) => Promise<void>,
): Promise<void> {
  const named = await startNamed();
  const port = freePort();
  try {
    await withFolder(async (folder) => {
      await Deno.writeTextFile(`${folder}/clients`, file, { mode: 0o600 });
      await Deno.writeTextFile(
        `${folder}/sftdyn.toml`,
        `http = "127.0.0.1:${port}"\n${at(named)}\ntrusted_proxies = ["127.0.0.1"]\n${settings}\n`,
        { mode: 0o600 },
      );
      const program = await Sftdyn.start(["-v", `${folder}/sftdyn.toml`]);
      const get = (key: string, address: string) =>
        curl("-H", `X-Forwarded-For: ${address}`, `http://127.0.0.1:${port}/${key}`);
      try {
        await body({ named, program, folder, get });
      } finally {
        assertEquals(await program.stop(), 0, program.log());
        assert(!/^ +at /m.test(program.log()), `a stack trace: ${program.log()}`);
        assert(!program.log().includes("qqq"), "a key is in the log");
      }
    });
  } finally {
    await named.stop();
  }
}

/** Milliseconds in which a change of the file is applied. */
const SOON = 5000;
const FILE = 'min_interval = 0\nclients_file = "clients"\n[clients]\n"qqq0" = "h0.dyn.example"';

Deno.test("a change of clients_file is applied within 5 seconds, without a signal", async () => {
  await withRunning(FILE, "qqq1: h1.dyn.example\n", async ({ named, program, folder, get }) => {
    assertEquals(await get("qqq0", "192.0.2.1"), "200 OK");
    assertEquals(await get("qqq1", "192.0.2.1"), "200 OK");
    assertEquals(await get("qqq:2", "192.0.2.2"), "403 BADKEY");
    const reloaded = (number: number) => () =>
      program.count(/info: reloaded \/.*\/clients: 3 clients$/gm) === number;
    const text = "# mine\nqqq1: h1.dyn.example\nqqq:2: h2.dyn.example, h3.dyn.example # two\n";
    await Deno.writeTextFile(`${folder}/clients`, text);
    await until("it is applied", reloaded(1), SOON);
    assertEquals(await get("qqq:2", "192.0.2.2"), "200 OK");
    for (const name of ["h2", "h3"]) {
      assertEquals(await named.dig(`${name}.dyn.example`, "A"), ["192.0.2.2"]);
    }
    // A nameserver that is stopped cannot have been asked: what was known is known still.
    named.kill("SIGSTOP");
    for (const key of ["qqq0", "qqq1"]) assertEquals(await get(key, "192.0.2.1"), "200 UPTODATE");
    named.kill("SIGCONT");
    // As most programs write a file.
    await Deno.writeTextFile(`${folder}/new`, text.replace("qqq:2", "qqq:3"));
    await Deno.rename(`${folder}/new`, `${folder}/clients`);
    await until("it is applied", reloaded(2), SOON);
    assertEquals(await get("qqq:2", "192.0.2.2"), "403 BADKEY");
    assertEquals(await get("qqq:3", "192.0.2.2"), "200 UPTODATE");
  });
});

Deno.test("a faulty clients_file, or none, is one error line, and the clients stay", async () => {
  await withRunning(FILE, "qqq1: h1.dyn.example\n", async ({ program, folder, get }) => {
    const file = `${folder}/clients`;
    const errors = () => program.log().match(/^.* error: .*$/gm) ?? [];
    const applied = () => program.count(/info: reloaded \/.*\/clients: /g);
    const changes: [change: () => Promise<unknown>, said: RegExp][] = [
      [
        () => Deno.writeTextFile(file, "qqq2: h2.dyn.example\nqqq3\nqqq0: h1.dyn.example\n"),
        /\/clients: line 2: expected KEY: HOST, or KEY: HOST, HOST/,
      ],
      [() => Deno.writeFile(file, Uint8Array.of(0x7f, 0x45, 0x4c, 0x46, 0)), /not a text file/],
      [
        () => Deno.remove(file),
        /sftdyn\.toml: line \d+: clients_file: cannot read .* no such file/,
      ],
      [() => Deno.mkdir(file), /cannot read ".*\/clients": it is a directory/],
    ];
    for (const [i, [change, said]] of changes.entries()) {
      await change();
      await until("an error", () => errors().length > i, SOON);
      assertMatch(errors()[i]!, /error: the previous clients are kept: /);
      assertMatch(errors()[i]!, said);
      for (const key of ["qqq0", "qqq1"]) assertMatch(await get(key, "192.0.2.1"), /^200 /);
      assertEquals(await get("qqq2", "192.0.2.1"), "403 BADKEY");
      const { code, stdout } = await sftdyn(["check", `${folder}/sftdyn.toml`]);
      assertEquals(code, 1);
      assertMatch(stdout, said);
      assert(!stdout.includes("qqq"), stdout);
    }
    assertEquals(applied(), 0);
    await Deno.remove(file);
    await Deno.writeTextFile(file, "qqq2: h2.dyn.example\n");
    await until("it is applied", () => applied() === 1, SOON);
    assertEquals(await get("qqq2", "192.0.2.1"), "200 OK");
    assertEquals(await get("qqq1", "192.0.2.1"), "403 BADKEY");
    // Each was one line, however often it was looked at.
    assertEquals(errors().length, changes.length);
    assertMatch(errors()[0]!, / \(and 1 more: sftdyn check lists all\)$/);
  });
});

Deno.test("a clients_file of 100,000 lines keeps no other request waiting", async () => {
  await withRunning(FILE, "qqq1: h1.dyn.example\n", async ({ program, folder, get }) => {
    assertEquals(await get("qqq1", "192.0.2.1"), "200 OK");
    const lines = Array.from({ length: 100_000 }, (_, i) => `qqq:${i}: m${i}.dyn.example\n`);
    await Deno.writeTextFile(`${folder}/new`, `qqq1: h1.dyn.example\n${lines.join("")}`);
    await Deno.rename(`${folder}/new`, `${folder}/clients`);
    const times: number[] = [];
    while (program.count(/info: reloaded /g) === 0) {
      const start = performance.now();
      assertEquals(await get("qqq1", "192.0.2.1"), "200 UPTODATE");
      times.push(performance.now() - start);
    }
    assertMatch(program.log(), /reloaded \/.*\/clients: 100002 clients$/m);
    assertEquals(await get("qqq:99999", "192.0.2.2"), "200 OK");
    const longest = Math.max(...times);
    console.log(`${times.length} requests meanwhile, the longest ${Math.round(longest)} ms`);
    // It is below 100 ms where nothing else runs, curl's own start included.
    assert(times.length > 5 && longest < 1000, `${times.length} requests, ${longest} ms`);
  });
});

Deno.test("SIGHUP applies clients_file, and a change that waits is not lost", async () => {
  const settings = 'min_interval = 3600\nclients_file = "clients"';
  await withRunning(settings, "qqq1: h1.dyn.example\n", async (running) => {
    const { named, program, folder, get } = running;
    assertEquals(await get("qqq1", "192.0.2.1"), "200 OK");
    const waiting = get("qqq1", "192.0.2.2");
    const reload = async (change: (file: string) => Promise<void>) => {
      const before = program.count(/info: reloaded /g);
      await change(`${folder}/clients`);
      program.kill("SIGHUP");
      await until("it is reloaded", () => program.count(/info: reloaded .*toml/g) > before);
    };
    await reload((file) => Deno.writeTextFile(file, "qqq2: h2.dyn.example\nqqq1: h1.dyn.example"));
    assertEquals(await get("qqq2", "192.0.2.2"), "200 OK");
    assertEquals(await named.dig("h1.dyn.example", "A"), ["192.0.2.1"]);
    const toml = await Deno.readTextFile(`${folder}/sftdyn.toml`);
    await reload(() => Deno.writeTextFile(`${folder}/sftdyn.toml`, toml.replace("3600", "0")));
    assertEquals(await waiting, "200 OK");
    assertEquals(await named.dig("h1.dyn.example", "A"), ["192.0.2.2"]);
  });
});

Deno.test("a client with families, networks or private = false gets no further than these", async () => {
  const settings = `min_interval = 0
[clients]
"qqq4" = { host = "h4.dyn.example", families = ["ipv4"] }
"qqq6" = { host = "h6.dyn.example", families = ["ipv6"] }
"qqqn" = { host = "hn.dyn.example", networks = ["203.0.113.0/24", "2001:db8::/32"] }
"qqqp" = { host = "hp.dyn.example", private = false, ttl = 77 }
`;
  await withRunning(settings, "", async ({ named, program, get }) => {
    const refused = (key: string, why: string) =>
      `warning: key ${keyId(digest(key))}: address ${why}`;
    const unknown = (address: string) => `warning: unknown key from ${address}`;
    const ipv6 = "the client's families have no ipv6";
    const ipv4 = "the client's families have no ipv4";
    const table: [key: string, address: string, answer: string, line?: string][] = [
      ["qqq4", "203.0.113.1", "200 OK"],
      ["qqq4", "2001:db8::1", "500 FAIL", refused("qqq4", `2001:db8::1 refused (${ipv6})`)],
      ["qqq6", "2001:db8::1", "200 OK"],
      ["qqq6", "203.0.113.1", "500 FAIL", refused("qqq6", `203.0.113.1 refused (${ipv4})`)],
      ["qqqn", "203.0.113.1", "200 OK"],
      ["qqqn", "2001:db8::1", "200 OK"],
      ["qqqn", "198.51.100.1", "403 BADKEY", unknown("198.51.100.1")],
      ["qqqx", "198.51.100.2", "403 BADKEY", unknown("198.51.100.2")],
      ["qqqp", "203.0.113.1", "200 OK"],
      ...["10.0.0.1", "100.64.0.1", "fd00::1"].map((address): [
        string,
        string,
        string,
        string,
      ] => [
        "qqqp",
        address,
        "500 FAIL",
        refused("qqqp", `${address} refused (private, and the client has private = false)`),
      ]),
      [
        "qqqp",
        "::1",
        "500 FAIL",
        refused("qqqp", "::1 refused (loopback, and the client has private = false)"),
      ],
      ["qqqp", "fe80::1", "500 FAIL", refused("qqqp", "fe80::1 refused (link-local)")],
    ];
    // So few, in a second or not, that none of these lines is held back.
    assert(table.filter(([, , , line]) => line !== undefined).length <= 10);
    for (const [key, address, answer, line] of table) {
      const before = program.log().length;
      assertEquals([key, address, await get(key, address)], [key, address, answer]);
      if (line === undefined) continue;
      const said = () => program.log().slice(before).trimEnd();
      await until(`a line for ${key} from ${address}`, () => said() !== "");
      assertEquals(said().replace(/^\S+ /, ""), line);
    }
    const records: [name: string, type: string, ...addresses: string[]][] = [
      ["h4", "A", "203.0.113.1"],
      ["h4", "AAAA"],
      ["h6", "A"],
      ["h6", "AAAA", "2001:db8::1"],
      ["hn", "A", "203.0.113.1"],
      ["hn", "AAAA", "2001:db8::1"],
      ["hp", "A", "203.0.113.1"],
      ["hp", "AAAA"],
    ];
    for (const [name, type, ...addresses] of records) {
      assertEquals([name, await named.dig(`${name}.dyn.example`, type)], [name, addresses]);
    }
  });
});
