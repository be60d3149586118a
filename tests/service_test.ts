import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { type Config, ConfigError, loadConfig } from "../lib/config/config.ts";
import { ListenError } from "../lib/http/listener.ts";
import { createLog } from "../lib/log.ts";
import { type Service, type ServiceOptions, startService } from "../lib/service.ts";
import { freePort, output } from "../tools/named.ts";
import { within } from "./support.ts";

/** A grace that no test waits for. */
const LONG = 60_000;
/** Milliseconds that no test waits for. */
const NEVER = 3_600_000;

interface Running {
  service: Service;
  folder: string;
  port: number;
  tlsPort: number;
  lines: string[];
  /** Waits until the log has that many such lines. */
  logged: (text: string, count?: number) => Promise<void>;
  write: (clients: string, settings?: string) => Promise<void>;
}

interface Options extends Partial<ServiceOptions> {
  /** Comes between the service and its configuration. */
  around?: (load: () => Promise<Config>) => Promise<Config>;
}

/** Makes NAME.pem and NAME.key. */
async function makeCertificate(folder: string, name: string): Promise<void> {
  const options = "req -x509 -nodes -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -days 30 " +
    `-keyout ${folder}/${name}.key -out ${folder}/${name}.pem ` +
    "-subj /CN=dyn.example -addext subjectAltName=IP:127.0.0.1";
  await output("openssl", ...options.split(" "));
}

/** A service of files in a folder, without a nameserver. */
async function withService(
  { around = (load) => load(), certificateInterval = NEVER, clientsInterval = NEVER }: Options,
  body: (running: Running) => Promise<void>,
): Promise<void> {
  const folder = await Deno.makeTempDir();
  const [port, tlsPort] = [freePort(), freePort()];
  const lines: string[] = [];
  let changed = Promise.withResolvers<void>();
  const log = createLog({
    write(line) {
      lines.push(line.slice("2026-11-05T06:07:08.009Z ".length).trimEnd());
      changed.resolve();
      changed = Promise.withResolvers();
    },
  });
  const logged = async (text: string, count = 1) => {
    while (lines.filter((line) => line.includes(text)).length < count) {
      await within(changed.promise, `"${text}" in the log: ${lines}`);
    }
  };
  const file = `${folder}/sftdyn.toml`;
  const write = (clients: string, settings = "") =>
    Deno.writeTextFile(
      file,
      `http = "127.0.0.1:${port}"\nhttps = "127.0.0.1:${tlsPort}"\ncert = "served.pem"\n` +
        `key = "served.key"\nnameserver = "127.0.0.1:1"\n${settings}\n[clients]\n${clients}\n`,
    );
  try {
    await makeCertificate(folder, "served");
    await Deno.copyFile(`${folder}/served.pem`, `${folder}/first.pem`);
    await write('"0.2.3.4" = "a.dyn.example"');
    const load = () => around(() => loadConfig(file));
    const service = await startService({
      version: "9.8.7",
      load,
      log,
      certificateInterval,
      clientsInterval,
    });
    try {
      await body({ service, folder, port, tlsPort, lines, logged, write });
    } finally {
      await within(service.stop(LONG), "the end");
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** The status with which this key is answered. */
async function statusOf({ port }: Running, key: string): Promise<number> {
  const response = await fetch(`http://127.0.0.1:${port}/${key}`);
  await response.body?.cancel();
  return response.status;
}

function getTls({ folder, tlsPort }: Running, trusted: string): Promise<string> {
  return output(
    "curl",
    "-sS",
    "--cacert",
    `${folder}/${trusted}.pem`,
    `https://127.0.0.1:${tlsPort}/`,
  );
}

Deno.test("startService() hands on why it cannot start", async () => {
  const log = createLog({ write: () => {} });
  const fault = new ConfigError(["what is wrong"]);
  const error = await assertRejects(
    () => startService({ version: "9.8.7", load: () => Promise.reject(fault), log }),
    ConfigError,
  );
  assertEquals(error, fault);
  await withService({}, async ({ folder }) => {
    const load = () => loadConfig(`${folder}/sftdyn.toml`);
    await assertRejects(
      () => startService({ version: "9.8.7", load, log }),
      ListenError,
      "another program",
    );
  });
});

Deno.test("reload() goes on with the new clients, and says so", async () => {
  await withService({}, async (running) => {
    const { service, write, lines } = running;
    assertEquals(await statusOf(running, "other"), 403);
    await write('"other" = "a.dyn.example"\n"third" = "b.dyn.example"');
    await service.reload();
    // There is no nameserver.
    assertEquals(await statusOf(running, "other"), 500);
    assertEquals(await statusOf(running, "0.2.3.4"), 403);
    assertMatch(lines.join("\n"), /^info: reloaded \/.*\/sftdyn\.toml: 2 clients$/m);
    await write("");
    await service.reload();
    assertMatch(lines.at(-1)!, /^warning: .*sftdyn\.toml: no clients: nobody can update$/);
  });
});

Deno.test("reload() of what is the same leaves the listeners", async () => {
  await withService({}, async ({ service, port, lines }) => {
    using conn = await Deno.connect({ hostname: "127.0.0.1", port });
    await conn.write(new TextEncoder().encode("GET / HTTP/1.1\r\nHost: h\r\n"));
    for (let i = 0; i < 3; i++) await service.reload();
    await conn.write(new TextEncoder().encode("Connection: close\r\n\r\n"));
    const answer = new Response(conn.readable).text();
    assertMatch(await within(answer, "an answer"), /^HTTP\/1\.1 200 [^]*127\.0\.0\.1$/);
    assertEquals(lines.filter((line) => line.includes("listening")).length, 2);
    assertEquals(lines.filter((line) => line.includes("reloaded")).length, 3);
  });
});

Deno.test("reload() begins to tell who has called, goes on, and ends", async () => {
  await withService({}, async (running) => {
    const { service, write, lines } = running;
    const port = freePort();
    const calls = async () => {
      const response = await fetch(`http://127.0.0.1:${port}/hosts.json`);
      const { hosts, version } = await response.json();
      return [version, ...hosts.map(({ host, answer }: Record<string, string>) => [host, answer])];
    };
    const client = '"0.2.3.4" = "a.dyn.example"';
    await statusOf(running, "0.2.3.4");
    await write(client, `status = "127.0.0.1:${port}"`);
    await service.reload();
    assertEquals(await calls(), ["9.8.7", ["a.dyn.example", null]]);
    // There is no nameserver.
    await statusOf(running, "0.2.3.4");
    await write(`${client}\n"other" = "b.dyn.example"`, `status = "127.0.0.1:${port}"`);
    await service.reload();
    assertEquals(await calls(), ["9.8.7", ["b.dyn.example", null], ["a.dyn.example", "FAIL"]]);
    await write(client);
    await service.reload();
    Deno.listen({ hostname: "127.0.0.1", port }).close();
    assertEquals(lines.filter((line) => line.includes("listening on status")).length, 1);
  });
});

Deno.test("reload() with a fault is one line, and all goes on", async () => {
  let fault: unknown;
  const around = (load: () => Promise<Config>) =>
    fault === undefined ? load() : Promise.reject(fault);
  const table: [fault: unknown, said: string][] = [
    [new ConfigError(["first"]), "first"],
    [new ConfigError(["first", "second", "third"]), "first (and 2 more: sftdyn check lists all)"],
    [new TypeError("a bug"), "a bug"],
    ["a text", "a text"],
  ];
  await withService({ around }, async (running) => {
    const { service, lines, write } = running;
    await write('"other" = "a.dyn.example"');
    for (const [thrown, said] of table) {
      fault = thrown;
      const before = lines.length;
      await service.reload();
      assertEquals(lines.slice(before), [`error: not reloaded, nothing has changed: ${said}`]);
      assertEquals(await statusOf(running, "other"), 403);
    }
    fault = undefined;
    await service.reload();
    assertEquals(await statusOf(running, "other"), 500);
  });
});

Deno.test("reload() without the configuration's file is one line, and all goes on", async () => {
  await withService({}, async (running) => {
    const { service, folder, lines } = running;
    await Deno.remove(`${folder}/sftdyn.toml`);
    await service.reload();
    assertMatch(lines.at(-1)!, /^error: not reloaded, .*\/sftdyn\.toml: no such file$/);
    assertEquals(await getTls(running, "first"), "127.0.0.1");
  });
});

Deno.test("reloads at the same time come one after the other", async () => {
  let loads = 0, isLoading = false;
  const around = async (load: () => Promise<Config>) => {
    assert(!isLoading, "two at a time");
    isLoading = true;
    loads++;
    const config = await load();
    isLoading = false;
    return config;
  };
  await withService({ around }, async ({ service, lines }) => {
    await Promise.all([1, 2, 3].map(() => service.reload()));
    assertEquals(loads, 4);
    assertEquals(lines.filter((line) => line.startsWith("info: reloaded")).length, 3);
    assertEquals(lines.filter((line) => line.startsWith("error")), []);
  });
});

Deno.test("stop() waits for a reload that is under way, and none comes after", async () => {
  let loads = 0;
  const loading = Promise.withResolvers<void>();
  const goOn = Promise.withResolvers<void>();
  const around = async (load: () => Promise<Config>) => {
    if (++loads === 2) {
      loading.resolve();
      await goOn.promise;
    }
    return await load();
  };
  await withService({ around }, async ({ service, lines, port, tlsPort }) => {
    const reloads = [service.reload(), service.reload()];
    await within(loading.promise, "the reload");
    const stopping = service.stop(LONG);
    reloads.push(service.reload());
    goOn.resolve();
    await within(Promise.all([stopping, ...reloads]), "the end");
    assertEquals(loads, 2);
    assertEquals(lines.filter((line) => line.startsWith("error")), []);
    for (const each of [port, tlsPort]) Deno.listen({ hostname: "127.0.0.1", port: each }).close();
  });
});

Deno.test("a certificate that is renewed is served without reload()", async () => {
  await withService({ certificateInterval: 5 }, async (running) => {
    const { folder, logged, lines } = running;
    await makeCertificate(folder, "second");
    assertEquals(await getTls(running, "first"), "127.0.0.1");
    // The other one of the pair comes after the fault was found. Renamed into place: half
    // a file would be a fault of its own.
    await Deno.rename(`${folder}/second.key`, `${folder}/served.key`);
    await logged("https keeps the previous certificate: ");
    assertEquals(await getTls(running, "first"), "127.0.0.1");
    await Deno.copyFile(`${folder}/second.pem`, `${folder}/new.pem`);
    await Deno.rename(`${folder}/new.pem`, `${folder}/served.pem`);
    await logged("https uses a new certificate, valid until 20");
    assertEquals(await getTls(running, "second"), "127.0.0.1");
    assertEquals(lines.filter((line) => line.startsWith("error")).length, 1);
    assertEquals(lines.filter((line) => line.includes("listening")).length, 2);
  });
});

Deno.test("reload() takes up a renewed certificate, and loses none of the rest", async () => {
  await withService({}, async (running) => {
    const { folder, service } = running;
    await makeCertificate(folder, "second");
    for (const end of ["pem", "key"]) {
      await Deno.copyFile(`${folder}/second.${end}`, `${folder}/served.${end}`);
    }
    assertEquals(await getTls(running, "first"), "127.0.0.1");
    await service.reload();
    assertEquals(await getTls(running, "second"), "127.0.0.1");
  });
});

Deno.test("a file of clients is applied when it has changed, and a faulty one is not", async () => {
  await withService({ clientsInterval: 5 }, async (running) => {
    const { folder, service, write, logged, lines } = running;
    const file = `${folder}/clients`;
    await Deno.writeTextFile(file, "one: a.dyn.example\n");
    await write('"0.2.3.4" = "b.dyn.example"', 'clients_file = "clients"');
    await service.reload();
    const status = async (...keys: string[]) => {
      const found: number[] = [];
      for (const key of keys) found.push(await statusOf(running, key));
      return found;
    };
    // There is no nameserver.
    assertEquals(await status("0.2.3.4", "one", "two"), [500, 500, 403]);
    // What is in the configuration meanwhile is not applied.
    await write('"other" = "b.dyn.example"', 'clients_file = "clients"');
    await Deno.writeTextFile(file, "two: a.dyn.example\nthree: a.dyn.example\n");
    await logged(`info: reloaded ${file}: 3 clients`);
    assertEquals(await status("0.2.3.4", "one", "two", "other"), [500, 403, 500, 403]);
    await Deno.writeTextFile(file, "four: a.dyn.example\nfive\n0.2.3.4: a.dyn.example\n");
    await logged("error: the previous clients are kept: ");
    assertEquals(await status("two", "four"), [500, 403]);
    await Deno.remove(file);
    await logged("error: the previous clients are kept: ", 2);
    assertEquals(await status("0.2.3.4", "two", "three"), [500, 500, 500]);
    // At a reload, too.
    await service.reload();
    assertEquals(await status("0.2.3.4", "two", "other"), [500, 500, 403]);
    await Deno.writeTextFile(file, "six: a.dyn.example\n");
    await logged(`info: reloaded ${file}: 2 clients`);
    assertEquals(await status("0.2.3.4", "two", "six"), [500, 403, 500]);
    await service.reload();
    assertEquals(await status("0.2.3.4", "other", "six"), [403, 500, 500]);
    const reason =
      `${folder}/sftdyn.toml: line 6: clients_file: cannot read "${file}": no such file`;
    assertEquals(lines.filter((line) => /^error: (the previous|not reloaded)/.test(line)), [
      `error: the previous clients are kept: ${file}: line 2: expected KEY: HOST, or KEY: HOST, ` +
      "HOST (and 1 more: sftdyn check lists all)",
      `error: the previous clients are kept: ${reason}`,
      `error: not reloaded, nothing has changed: ${reason}`,
    ]);
  });
});

Deno.test("without clients_file, and with one that is new, a reload looks at it from then on", async () => {
  await withService({ clientsInterval: 5 }, async (running) => {
    const { folder, service, write, logged } = running;
    for (const [name, key] of [["c1", "one"], ["c2", "two"]] as const) {
      await Deno.writeTextFile(`${folder}/${name}`, "");
      await write("", `clients_file = "${name}"`);
      await service.reload();
      await Deno.writeTextFile(`${folder}/${name}`, `${key}: a.dyn.example`);
      await logged(`reloaded ${folder}/${name}: 1 client`);
      assertEquals(await statusOf(running, key), 500);
    }
    assertEquals(await statusOf(running, "one"), 403);
    await write('"one" = "a.dyn.example"');
    await service.reload();
    assertEquals([await statusOf(running, "one"), await statusOf(running, "two")], [500, 403]);
  });
});

Deno.test("reload() has the hooks anew, keeps them if they are faulty, and takes them away", async () => {
  await withService({}, async (running) => {
    const { service, folder, write, lines } = running;
    const writeHooks = (text: string) => Deno.writeTextFile(`${folder}/hooks.js`, text);
    const reload = async (hooks = 'hooks = "hooks.js"') => {
      await write("", hooks);
      await service.reload();
    };
    await writeHooks('export const getHost = (key) => key === "a" ? "a.dyn.example" : null;');
    await reload();
    // No clients, but hooks.
    assertMatch(lines.at(-1)!, /^info: reloaded /);
    assertEquals([await statusOf(running, "a"), await statusOf(running, "b")], [500, 403]);
    await writeHooks("export const getHost =");
    await reload();
    assertMatch(lines.at(-1)!, /^error: not reloaded, nothing has changed: .*hooks\.js: line 1,/);
    assertEquals([await statusOf(running, "a"), await statusOf(running, "b")], [500, 403]);
    await writeHooks('export const getHost = (key) => key === "b" ? "a.dyn.example" : null;');
    await reload();
    assertEquals([await statusOf(running, "a"), await statusOf(running, "b")], [403, 500]);
    await reload("");
    assertEquals([await statusOf(running, "a"), await statusOf(running, "b")], [403, 403]);
    assertMatch(
      lines.find((line) => line.startsWith("warning: ") && line.includes("no clients"))!,
      /./,
    );
  });
});

Deno.test("a service whose hooks are faulty does not start, nor leaves any if it cannot listen", async () => {
  await withService({}, async ({ folder, write }) => {
    const log = createLog({ write: () => {} });
    const load = () => loadConfig(`${folder}/sftdyn.toml`);
    await write("", 'hooks = "hooks.js"');
    await Deno.writeTextFile(`${folder}/hooks.js`, "export const getHosts = 1;");
    const faulty = await assertRejects(
      () => startService({ version: "9.8.7", load, log }),
      ConfigError,
    );
    assertMatch(faulty.message, /"getHosts" is no hook, did you mean "getHost"\?$/);
    await Deno.writeTextFile(`${folder}/hooks.js`, "export const getHost = () => {};");
    await assertRejects(
      () => startService({ version: "9.8.7", load, log }),
      ListenError,
      "another program",
    );
  });
});
