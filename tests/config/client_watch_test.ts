import { assert, assertEquals, assertMatch } from "@std/assert";
import type { Clients } from "../../lib/clients.ts";
import { ClientFiles } from "../../lib/config/client_files.ts";
import { ClientTableReader } from "../../lib/config/client_table.ts";
import { ClientWatch } from "../../lib/config/client_watch.ts";
import { Faults } from "../../lib/config/settings.ts";
import type { OpenFile } from "../../lib/file.ts";

/** Real files, and what a watch finds in them. */
class Watched {
  readonly faults: string[] = [];
  readonly watch = new ClientWatch({ onFault: (message) => this.faults.push(message) });
  opened = 0;
  /** What Deno.open is to throw. */
  refusal: Error | undefined;
  current!: ClientFiles;

  constructor(readonly folder: string) {}

  async read(): Promise<void> {
    const ttlOf = () => 30;
    const own = new ClientTableReader({ faults: new Faults("toml"), settings: [], ttlOf });
    const open: OpenFile = (path) => {
      this.opened++;
      return this.refusal === undefined ? Deno.open(path) : Promise.reject(this.refusal);
    };
    const paths = ["a", "b"].map((name) => `${this.folder}/${name}`);
    this.current = await ClientFiles.read({ paths, own, ttlOf, open, place: "toml: line 1" });
    this.opened = 0;
  }

  write(name: string, text: string): Promise<void> {
    return Deno.writeTextFile(`${this.folder}/${name}`, text);
  }

  /** Polls so many times, and goes on with what is found; how often that was something. */
  async poll(times: number): Promise<number> {
    let found = 0;
    for (let i = 0; i < times; i++) {
      const next = await this.watch.poll(this.current);
      if (next === undefined) continue;
      found++;
      this.current = next;
    }
    return found;
  }

  has(key: string): boolean {
    return (this.current.clients as Clients).find(key) !== undefined;
  }
}

async function withWatched(body: (watched: Watched) => Promise<void>): Promise<void> {
  const watched = new Watched(await Deno.makeTempDir());
  try {
    await watched.write("a", "key1: a.dyn.example\n");
    await watched.write("b", "key2: b.dyn.example\n");
    await watched.read();
    await body(watched);
  } finally {
    await Deno.remove(watched.folder, { recursive: true });
  }
}

Deno.test("poll() reads nothing while nothing has changed", async () => {
  await withWatched(async (watched) => {
    assertEquals([await watched.poll(5), watched.opened, watched.faults], [0, 0, []]);
  });
});

Deno.test("poll() finds what was written, once it is the same at two polls", async () => {
  await withWatched(async (watched) => {
    await watched.write("b", "key3: b.dyn.exam");
    assertEquals([await watched.poll(1), watched.opened], [0, 0]);
    await watched.write("b", "key3: b.dyn.example\nkey4: b.dyn.example\n");
    assertEquals([await watched.poll(1), watched.opened], [0, 0]);
    assertEquals([await watched.poll(5), watched.opened], [1, 2]);
    const found = ["key1", "key2", "key3", "key4"].map((key) => watched.has(key));
    assertEquals([found, watched.faults], [[true, false, true, true], []]);
  });
});

Deno.test("poll() finds a file that was replaced, of the same length and time", async () => {
  await withWatched(async (watched) => {
    const { folder } = watched;
    const { mtime } = await Deno.stat(`${folder}/a`);
    await watched.write("c", "key9: a.dyn.example\n");
    await Deno.utime(`${folder}/c`, mtime!, mtime!);
    await Deno.rename(`${folder}/c`, `${folder}/a`);
    assertEquals([await watched.poll(5), watched.has("key9"), watched.has("key1")], [
      1,
      true,
      false,
    ]);
  });
});

Deno.test("poll() tells once what is wrong, does not read it again, and keeps what was", async () => {
  await withWatched(async (watched) => {
    await watched.write("a", "key3: a.dyn.example\nkey4\nkey5: a\n");
    assertEquals([await watched.poll(5), watched.opened], [0, 2]);
    assertEquals(watched.faults.length, 1);
    assertMatch(
      watched.faults[0]!,
      /\/a: line 2: expected KEY: HOST.* \(and 1 more: sftdyn check lists all\)$/,
    );
    assert(watched.has("key1") && !watched.has("key3"));
    await watched.write("a", "key3");
    await watched.poll(5);
    assertEquals([watched.faults.length, watched.opened], [2, 4]);
    assertMatch(watched.faults[1]!, /\/a: line 1: expected KEY: HOST, or KEY: HOST, HOST$/);
    assertEquals(watched.watch.fault, watched.faults[1]);
    await watched.write("a", "key3: a.dyn.example\n");
    assertEquals([await watched.poll(2), watched.faults.length], [1, 2]);
    assert(watched.has("key3"));
    assertEquals(watched.watch.fault, undefined);
  });
});

Deno.test("poll() tells once that a file is gone, and finds it when it is back", async () => {
  await withWatched(async (watched) => {
    const { folder, faults } = watched;
    for (let i = 1; i <= 2; i++) {
      await Deno.rename(`${folder}/a`, `${folder}/c`);
      assertEquals([await watched.poll(5), faults.length], [0, i]);
      assertEquals(faults.at(-1), `toml: line 1: cannot read "${folder}/a": no such file`);
      assert(watched.has("key1"));
      // Back as it was, but for the time of its renaming.
      await Deno.rename(`${folder}/c`, `${folder}/a`);
      await watched.poll(5);
      assertEquals([watched.has("key1"), faults.length], [true, i]);
    }
    await Deno.remove(`${folder}/a`);
    await watched.poll(2);
    await watched.write("a", "key7: a.dyn.example\n");
    assertEquals([await watched.poll(5), watched.has("key7"), faults.length], [1, true, 3]);
  });
});

Deno.test("poll() tries a file again that could not be opened, though it has not changed", async () => {
  await withWatched(async (watched) => {
    watched.refusal = new Deno.errors.PermissionDenied();
    await watched.write("a", "key3: a.dyn.example\n");
    assertEquals([await watched.poll(5), watched.faults.length], [0, 1]);
    assertMatch(watched.faults[0]!, /: cannot read ".*\/a": permission denied/);
    watched.refusal = undefined;
    assertEquals([await watched.poll(2), watched.has("key3"), watched.faults.length], [1, true, 1]);
  });
});

Deno.test("poll() does not read a file again that is no text", async () => {
  await withWatched(async (watched) => {
    await watched.write("a", "key1: a.dyn.example\n\0");
    assertEquals([await watched.poll(5), watched.opened, watched.faults.length], [0, 2, 1]);
    assertMatch(watched.faults[0]!, /: not a text file: byte 0x00 in line 2$/);
  });
});

Deno.test("poll() finds a key that another file has already", async () => {
  await withWatched(async (watched) => {
    await watched.write("b", "key1: a.dyn.example\n");
    assertEquals([await watched.poll(5), watched.faults.length], [0, 1]);
    assertMatch(watched.faults[0]!, /\/b: line 1: this key is already in \/.*\/a, line 1$/);
  });
});
