import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import type { ClientFilesOptions } from "../../lib/config/client_files.ts";
import { type Config, ConfigError, loadConfig } from "../../lib/config/config.ts";
import { run } from "../../tools/program.ts";
import { within } from "../support.ts";

type Environment = Pick<ClientFilesOptions, "open" | "stat" | "most">;

/** A folder with a configuration, its [clients] and files beside it. */
class Folder {
  constructor(readonly path: string) {}

  get file(): string {
    return `${this.path}/sftdyn.toml`;
  }

  async write(files: Record<string, string | Uint8Array>): Promise<void> {
    for (const [name, content] of Object.entries(files)) {
      const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
      await Deno.writeFile(`${this.path}/${name}`, bytes);
    }
  }

  load(environment: Environment = {}): Promise<Config> {
    return within(loadConfig(this.file, {}, { clientFiles: environment }), "the configuration");
  }

  /** The faults, without the folder. */
  async faults(environment: Environment = {}): Promise<string[]> {
    try {
      await this.load(environment);
      return [];
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      return error.faults.map((fault) => fault.replaceAll(`${this.path}/`, ""));
    }
  }
}

async function withFolder(
  setting: string,
  files: Record<string, string | Uint8Array>,
  body: (folder: Folder) => Promise<void>,
  clients = "",
): Promise<void> {
  const folder = new Folder(await Deno.makeTempDir());
  try {
    await folder.write({
      "sftdyn.toml": `http = "1"\nclients_file = ${setting}\n[clients]\n${clients}`,
      ...files,
    });
    await body(folder);
  } finally {
    await Deno.remove(folder.path, { recursive: true });
  }
}

function hostsOf({ clients }: Config, key: string): string[] | undefined {
  return clients.find(key)?.hosts.map(({ name, ttl }) => `${name} ${ttl}`);
}

Deno.test("clients_file is read beside [clients], relative to the configuration", async () => {
  await withFolder(
    '["one", "./two"]',
    {
      one: "\ufeff# of mine\nkey1: a.dyn.example\r\n\r\nkey:2: b.dyn.example, c.dyn.example",
      two: "key3: d.dyn.example # last\n",
    },
    async (folder) => {
      const config = await folder.load();
      assertEquals(config.clients.size, 4);
      assertEquals(hostsOf(config, "key0"), ["z.dyn.example 7"]);
      assertEquals(hostsOf(config, "key1"), ["a.dyn.example 30"]);
      assertEquals(hostsOf(config, "key:2"), ["b.dyn.example 30", "c.dyn.example 30"]);
      assertEquals(hostsOf(config, "key%3A2"), ["b.dyn.example 30", "c.dyn.example 30"]);
      assertEquals(hostsOf(config, "key3"), ["d.dyn.example 30"]);
      assertEquals(hostsOf(config, "key4"), undefined);
      assertEquals([...config.clients.names()].map((name) => name[0]), ["z", "a", "b", "c", "d"]);
      assertEquals(config.clients.hosts().length, 5);
      const tables = config.clientFiles!.tables.map(({ file, clients, shortKeys }) => [
        file.slice(folder.path.length),
        clients.size,
        shortKeys,
      ]);
      assertEquals(tables, [["/one", 2, [2, 4]], ["/./two", 1, [1]]]);
    },
    '"key0" = { host = "z.dyn.example", ttl = 7 }',
  );
});

Deno.test("a client of a file has the ttl of its zone, or the one above", async () => {
  await withFolder("'c'", { c: "k: a.dyn.example\nl: b.other.example" }, async (folder) => {
    const text = await Deno.readTextFile(folder.file);
    const zones = `ttl = 60\n${text}\n[zones."dyn.example"]\nttl = 90\n`;
    await folder.write({ "sftdyn.toml": zones });
    const config = await folder.load();
    assertEquals(hostsOf(config, "k"), ["a.dyn.example 90"]);
    assertEquals(hostsOf(config, "l"), ["b.other.example 60"]);
  });
});

Deno.test("an empty file of clients is none, and no fault", async () => {
  for (const text of ["", "\n", "# nobody", "\ufeff"]) {
    await withFolder('"c"', { c: text }, async (folder) => {
      assertEquals((await folder.load()).clients.size, 0);
    });
  }
});

Deno.test("clients_file is a name or a list of names", async () => {
  const table: [setting: string, said: string][] = [
    ["5", "expected a string in quotes, got a number"],
    ["true", "expected a string in quotes, got true"],
    ['""', "it is empty"],
    ["[]", 'the list is empty: expected "FILE"'],
    ['["c", 5]', "expected a string in quotes, got a number"],
    ['["c", "c"]', '"c" is listed twice'],
    ['"none"', 'cannot read "none": no such file'],
    ['["c", "none"]', 'cannot read "none": no such file'],
    ['"sftdyn.toml/c"', /* not a folder */ 'cannot read "sftdyn.toml/c": '],
  ];
  for (const [setting, said] of table) {
    await withFolder(setting, { c: "k: a.dyn.example" }, async (folder) => {
      const faults = await folder.faults();
      assertEquals([setting, faults.length], [setting, 1]);
      assertMatch(faults[0]!, /^sftdyn\.toml: line 2: clients_file: /);
      assert(faults[0]!.includes(said), faults[0]);
    });
  }
});

Deno.test("a file of clients that cannot be used is one fault", async () => {
  const bytes = (...octets: number[]) => Uint8Array.of(...octets);
  const long = `k: ${"a.dyn.example, ".repeat(20_000)}b.dyn.example`;
  const table: [content: string | Uint8Array, said: RegExp][] = [
    [bytes(0x7f, 0x45, 0x4c, 0x46, 0), /not a text file: byte 0x7f in line 1$/],
    ["k: a.dyn.example\n\0", /byte 0x00 in line 2$/],
    ["k: a.dyn.example\n".repeat(30_000) + "\x1b", /byte 0x1b in line 30001$/],
    [bytes(0x6b, 0xff, 0xfe), /not UTF-8$/],
    [bytes(0x6b, 0xc3), /not UTF-8$/],
    [`\n\n${long}`, /line 3 has more than 262144 bytes$/],
  ];
  for (const [content, said] of table) {
    await withFolder('"c"', { c: content }, async (folder) => {
      const faults = (await folder.faults()).filter((fault) => fault.includes("cannot read"));
      assertEquals(faults.length, 1);
      assertMatch(faults[0]!, said);
      assertMatch(faults[0]!, /^sftdyn\.toml: line 2: clients_file: cannot read "c": /);
    });
  }
});

Deno.test("a file of clients must be a regular file that can be opened", async () => {
  await withFolder('"c"', {}, async (folder) => {
    const start = 'sftdyn.toml: line 2: clients_file: cannot read "c": ';
    await Deno.mkdir(`${folder.path}/c`);
    assertEquals(await folder.faults(), [`${start}it is a directory`]);
    await Deno.remove(`${folder.path}/c`);
    // Nobody writes to it: to open it would take for ever.
    assertEquals((await run(["mkfifo", `${folder.path}/c`])).code, 0);
    assertEquals(await folder.faults(), [`${start}it is not a regular file`]);
    await Deno.remove(`${folder.path}/c`);
    await folder.write({ c: "k: a.dyn.example" });
    // Root may open everything.
    const open = () => Promise.reject(new Deno.errors.PermissionDenied("os error 13"));
    const [denied, ...others] = await folder.faults({ open });
    assert(denied!.startsWith(`${start}permission denied: `), denied);
    assertEquals(others, []);
    const broken = () =>
      Promise.resolve({ read: () => Promise.reject(new Error("disk on fire")), close: () => {} });
    assertEquals(await folder.faults({ open: broken }), [`${start}disk on fire`]);
  });
});

Deno.test("a file of clients that is too big is not read", async () => {
  await withFolder('"c"', { c: "k: a.dyn.example\n" }, async (folder) => {
    let opened = 0;
    const open = (path: string) => (opened++, Deno.open(path));
    assertEquals(await folder.faults({ open, most: 17 }), []);
    assertEquals(opened, 1);
    assertEquals(await folder.faults({ open, most: 16 }), [
      'sftdyn.toml: line 2: clients_file: cannot read "c": it has 1 MB, at most 1 MB are read',
    ]);
    assertEquals(opened, 1);
    // Sparse: it takes no room.
    await Deno.truncate(`${folder.path}/c`, 2 ** 28 + 1);
    assertEquals(await folder.faults(), [
      'sftdyn.toml: line 2: clients_file: cannot read "c": it has 257 MB, at most 256 MB are read',
    ]);
  });
});

Deno.test("all faults of all files are told at once, each with its file and line", async () => {
  await withFolder(
    '["one", "none", "two"]',
    { one: "qqq1: qqq\nqqq2: a.dyn.example\nqqq3", two: "qqq4: a.b.c:80" },
    async (folder) => {
      const faults = await folder.faults();
      assertEquals(faults.map((fault) => /^\S+: line \d+/.exec(fault)?.[0]), [
        "sftdyn.toml: line 4",
        "one: line 1",
        "one: line 3",
        "sftdyn.toml: line 2",
        "two: line 1",
      ]);
      for (const fault of faults) assert(!fault.includes("qqq"), fault);
    },
    '"qqq0" = "qqq"',
  );
});

Deno.test("a file with many faults is a hundred of them, and how many more there are", async () => {
  const lines = (text: string) => text.repeat(150);
  await withFolder('["one", "two"]', { one: lines("k\n"), two: lines("l\n") }, async (folder) => {
    const error = await assertRejects(() => folder.load(), ConfigError);
    assertEquals([error.count, error.faults.length], [300, 202]);
    assertMatch(error.faults[99]!, /one: line 100: /);
    assertMatch(error.faults[100]!, /one: and 50 more faults$/);
    assertMatch(error.faults[101]!, /two: line 1: /);
    assertMatch(error.faults[201]!, /two: and 50 more faults$/);
  });
});

Deno.test("two clients with one key are a fault, in one file or in several", async () => {
  await withFolder(
    '["one", "two"]',
    {
      one: "key1: a.dyn.example\nkey1: b.dyn.example\nkey0: c.dyn.example",
      two: "\nkey1: d.dyn.example\nkey2: d.dyn.example\nkey0: d.dyn.example",
    },
    async (folder) => {
      assertEquals(await folder.faults(), [
        "one: line 2: this key is already in line 1",
        "one: line 3: this key is already in sftdyn.toml, line 5",
        "two: line 2: this key is already in one, line 1",
        "two: line 4: this key is already in sftdyn.toml, line 5",
      ]);
    },
    '\n"key0" = "a.dyn.example"',
  );
});

/** Opens files, and does something when the first piece of the n-th has been read. */
function openAnd(act: (nth: number) => Promise<unknown>): NonNullable<Environment["open"]> {
  let opened = 0;
  return async (path) => {
    const file = await Deno.open(path);
    const nth = ++opened;
    let reads = 0;
    return {
      async read(buffer) {
        const count = await file.read(buffer);
        if (reads++ === 0) await act(nth);
        return count;
      },
      close: () => file.close(),
    };
  };
}

Deno.test("a file of clients that changes while it is read is read again", async () => {
  const half = "key1: a.dyn.example\n";
  const whole = `${half}key2: b.dyn.example\n`;
  const changes: [name: string, change: (folder: Folder) => Promise<unknown>][] = [
    [
      "appended to",
      ({ path }) => Deno.writeTextFile(`${path}/c`, whole.slice(half.length), { append: true }),
    ],
    ["written anew", (folder) => folder.write({ c: whole })],
    ["replaced", async (folder) => {
      await folder.write({ d: whole });
      await Deno.rename(`${folder.path}/d`, `${folder.path}/c`);
    }],
  ];
  for (const [name, change] of changes) {
    await withFolder('"c"', { c: half }, async (folder) => {
      let opened = 0;
      const open = openAnd(async (nth) => {
        opened = nth;
        if (nth === 1) await change(folder);
      });
      const config = await folder.load({ open });
      assertEquals([name, opened, config.clients.size], [name, 2, 2]);
      assertEquals(hostsOf(config, "key1"), ["a.dyn.example 30"]);
    });
  }
});

Deno.test("a file of clients that changes whenever it is read is a fault", async () => {
  await withFolder('"c"', { c: "k: a.dyn.example\n" }, async (folder) => {
    let opened = 0;
    const open = openAnd(async (nth) => {
      opened = nth;
      await Deno.writeTextFile(`${folder.path}/c`, "#\n", { append: true });
    });
    assertEquals(await folder.faults({ open }), [
      'sftdyn.toml: line 2: clients_file: cannot read "c": it is being written: it changed each ' +
      "time while it was read",
    ]);
    assertEquals(opened, 5);
  });
});

Deno.test("a file of clients that is removed while it is read is a fault", async () => {
  await withFolder('"c"', { c: "k: a.dyn.example\n" }, async (folder) => {
    const open = openAnd(() => Deno.remove(`${folder.path}/c`));
    assertEquals(await folder.faults({ open }), [
      'sftdyn.toml: line 2: clients_file: cannot read "c": no such file',
    ]);
  });
});

Deno.test("lines and characters that go over the end of a piece are whole", async () => {
  // Pieces of 256 KiB, which lines of these lengths do not divide.
  let text = "";
  for (let i = 0; i < 12_000; i++) text += `${"é".repeat(i % 31)}key${i}: h${i}.dyn.example\n`;
  await withFolder('"c"', { c: text }, async (folder) => {
    const config = await folder.load();
    assertEquals(config.clients.size, 12_000);
    for (let i = 0; i < 12_000; i++) {
      const found = hostsOf(config, `${"é".repeat(i % 31)}key${i}`);
      assertEquals(found, [`h${i}.dyn.example 30`]);
    }
  });
});
