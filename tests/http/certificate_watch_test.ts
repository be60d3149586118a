import { assert, assertEquals, assertRejects } from "@std/assert";
import { type Certificate, CertificateError, loadCertificate } from "../../lib/http/certificate.ts";
import {
  CertificateWatch,
  type CertificateWatchOptions,
} from "../../lib/http/certificate_watch.ts";
import type { Log } from "../../lib/log.ts";
import { output } from "../../tools/named.ts";

function certificateOf(cert: string, key = cert): Certificate {
  const date = new Date(0);
  return {
    files: ["c.pem", "k.pem"],
    cert,
    key,
    notBefore: date,
    notAfter: date,
    names: "",
    chainGap: undefined,
  };
}

function logTo(lines: string[]): Log {
  const refuse = (line: string) => assert(false, `not an error: ${line}`);
  return { error: (line) => lines.push(line), warning: refuse, info: refuse, debug: refuse };
}

/** Two files that a test writes, and what was read of them. */
class Files {
  readonly lines: string[] = [];
  loads = 0;
  #version = 0;
  #files = new Map<string, { text: string; version: number }>();
  readonly watch: CertificateWatch;

  constructor(options: Partial<CertificateWatchOptions> = {}) {
    this.write("old", "old");
    this.watch = new CertificateWatch({
      log: logTo(this.lines),
      stat: (path) => {
        const file = this.#files.get(path);
        if (file === undefined) return Promise.reject(new Deno.errors.NotFound());
        return Promise.resolve({ mtime: new Date(file.version), ctime: null, size: 1, ino: 1 });
      },
      load: (certFile, keyFile) => {
        this.loads++;
        const [cert, key] = [certFile, keyFile].map((path) => this.#files.get(path)?.text);
        if (cert === key && cert !== undefined) return Promise.resolve(certificateOf(cert));
        return Promise.reject(new CertificateError("key", `${key} is not the key of ${cert}`));
      },
      ...options,
    });
  }

  write(cert: string | undefined, key?: string): void {
    for (const [path, text] of [["c.pem", cert], ["k.pem", key]] as const) {
      if (text !== undefined) this.#files.set(path, { text, version: ++this.#version });
    }
  }

  remove(): void {
    this.#files.clear();
  }

  /** The certificate that is found, if any. */
  async poll(current = "old"): Promise<string | undefined> {
    return (await this.watch.poll(certificateOf(current)))?.cert;
  }
}

Deno.test("poll() reads the files once, and again only when they have changed", async () => {
  const files = new Files();
  for (let i = 0; i < 3; i++) assertEquals(await files.poll(), undefined);
  assertEquals(files.loads, 1);
  // Written anew, but the same.
  files.write("old");
  for (let i = 0; i < 3; i++) assertEquals(await files.poll(), undefined);
  assertEquals([files.loads, files.lines], [2, []]);
});

Deno.test("poll() finds another certificate, until it has been applied", async () => {
  const files = new Files();
  await files.poll();
  files.write("new", "new");
  for (let i = 0; i < 2; i++) assertEquals(await files.poll(), "new");
  for (let i = 0; i < 3; i++) assertEquals(await files.poll("new"), undefined);
  assertEquals([files.loads, files.lines], [4, []]);
});

Deno.test("poll() finds a certificate that is new at the first poll", async () => {
  const files = new Files();
  files.write("new", "new");
  assertEquals(await files.poll(), "new");
});

Deno.test("poll() finds a certificate of which the key alone is another", async () => {
  const watch = new CertificateWatch({
    log: logTo([]),
    stat: () => Promise.resolve({ mtime: null, ctime: null, size: 1, ino: null }),
    load: () => Promise.resolve(certificateOf("same", "new")),
  });
  assertEquals((await watch.poll(certificateOf("same", "old")))?.key, "new");
});

Deno.test("poll() sees a change by times, size or inode of either file", async () => {
  const fresh = () => ({ mtime: new Date(5), ctime: new Date(5), size: 5, ino: 5 });
  const changes: Partial<ReturnType<typeof fresh>>[] = [
    { mtime: new Date(6) },
    { ctime: new Date(6) },
    { size: 6 },
    {
      ino: 6,
    },
  ];
  for (const change of changes) {
    for (const changed of ["c.pem", "k.pem"]) {
      const state = { "c.pem": fresh(), "k.pem": fresh() } as Record<
        string,
        ReturnType<typeof fresh>
      >;
      const files = new Files({ stat: (path) => Promise.resolve(state[path]!) });
      for (let i = 0; i < 2; i++) await files.poll();
      Object.assign(state[changed]!, change);
      for (let i = 0; i < 2; i++) await files.poll();
      assertEquals(files.loads, 2, `${changed} ${JSON.stringify(change)}`);
    }
  }
});

Deno.test("poll() logs nothing while only one file of a pair has been written", async () => {
  const halves: (string | undefined)[][] = [["new"], [undefined, "new"]];
  for (const [cert, key] of halves) {
    const files = new Files();
    await files.poll();
    files.write(cert, key);
    assertEquals(await files.poll(), undefined);
    files.write("new", "new");
    assertEquals(await files.poll(), "new");
    assertEquals(files.lines, []);
  }
});

Deno.test("poll() logs once what is wrong with the files, and once more after a change", async () => {
  const files = new Files();
  files.write("new");
  for (let i = 0; i < 5; i++) assertEquals(await files.poll(), undefined);
  const line = "https keeps the previous certificate: old is not the key of new";
  assertEquals([files.lines, files.loads], [[line], 5]);
  assertEquals(files.watch.fault, "old is not the key of new");
  files.write("newer");
  for (let i = 0; i < 5; i++) assertEquals(await files.poll(), undefined);
  assertEquals(files.lines, [line, line.replace(/new$/, "newer")]);
  files.write("newer", "newer");
  assertEquals(await files.poll(), "newer");
  assertEquals(files.watch.fault, undefined);
});

Deno.test("poll() finds a certificate that becomes readable, also without a new time", async () => {
  let isReadable = true;
  const lines: string[] = [];
  const watch = new CertificateWatch({
    log: logTo(lines),
    stat: () => Promise.resolve({ mtime: null, ctime: null, size: 1, ino: 1 }),
    load: () =>
      isReadable
        ? Promise.resolve(certificateOf("new"))
        : Promise.reject(new CertificateError("key", "permission denied")),
  });
  isReadable = false;
  for (let i = 0; i < 4; i++) assertEquals(await watch.poll(certificateOf("old")), undefined);
  assertEquals(lines, ["https keeps the previous certificate: permission denied"]);
  isReadable = true;
  assertEquals((await watch.poll(certificateOf("old")))?.cert, "new");
});

Deno.test("poll() logs that files are gone, and finds them when they are back", async () => {
  const files = new Files();
  await files.poll();
  files.remove();
  for (let i = 0; i < 5; i++) assertEquals(await files.poll(), undefined);
  assertEquals(files.lines.length, 1);
  files.write("new", "new");
  assertEquals(await files.poll(), "new");
  assertEquals(files.lines.length, 1);
});

Deno.test("poll() forgets a fault that was gone at the next poll", async () => {
  const files = new Files();
  for (let i = 0; i < 3; i++) {
    files.write(`new${i}`);
    assertEquals(await files.poll(), undefined);
    files.write("old", "old");
    assertEquals(await files.poll(), undefined);
  }
  assertEquals(files.lines, []);
});

Deno.test("poll() passes on an error that is no fault of the files", async () => {
  const load = () => Promise.reject(new TypeError("a bug"));
  await assertRejects(() => new Files({ load }).poll(), TypeError, "a bug");
});

Deno.test("poll() with real files: as certbot renews them, link by link", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const names = ["fullchain", "privkey"];
    const make = async (i: number) => {
      const options = "req -x509 -nodes -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 " +
        `-keyout ${folder}/privkey${i}.pem -out ${folder}/fullchain${i}.pem ` +
        "-days 30 -subj /CN=dyn.example -addext subjectAltName=DNS:dyn.example";
      await output("openssl", ...options.split(" "));
    };
    const link = async (name: string, i: number) => {
      await Deno.symlink(`${name}${i}.pem`, `${folder}/link`);
      await Deno.rename(`${folder}/link`, `${folder}/${name}.pem`);
    };
    await Promise.all([1, 2].map(make));
    for (const name of names) await link(name, 1);
    const lines: string[] = [];
    const watch = new CertificateWatch({ log: logTo(lines) });
    const current = await loadCertificate(`${folder}/fullchain.pem`, `${folder}/privkey.pem`);
    assertEquals(await watch.poll(current), undefined);
    await link("privkey", 2);
    assertEquals(await watch.poll(current), undefined);
    await link("fullchain", 2);
    const found = await watch.poll(current);
    assertEquals(found?.cert, await Deno.readTextFile(`${folder}/fullchain2.pem`));
    assertEquals(found?.files, current.files);
    assertEquals(await watch.poll(found!), undefined);
    await Deno.remove(`${folder}/privkey.pem`);
    for (let i = 0; i < 3; i++) assertEquals(await watch.poll(found!), undefined);
    assertEquals(lines, [
      "https keeps the previous certificate: " +
      `cannot read "${folder}/privkey.pem": no such file`,
    ]);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
