/**
 * `deno task bench [ROW …]`: sftdyn against a bare Deno.serve, and against one
 * nsupdate for each request; its executable against a bare server's; everything
 * on this machine, in one run, in turns. Prints medians and ratios; fails on a
 * wrong answer, never on a slow one.
 */

import { executable } from "./bench/executable.ts";
import { describe, inTurns, median, printTable, report } from "./bench/report.ts";
import {
  atEnd,
  cleanUp,
  clientLines,
  ONE_ADDRESS,
  type Program,
  Server,
  sftdynArgs,
  temporaryFolder,
} from "./bench/server.ts";
import { get, type Load, UNCHANGED, unchanged, update } from "./bench/wrk.ts";
import { stdFlags } from "./deno.ts";
import { freePort, type Named, output, startNamed } from "./named.ts";
import { RUN_FLAGS } from "./run_flags.ts";
import { BENCH_PROGRAMS, ensurePrograms, findProgram, SetupError } from "./setup.ts";

const ROUNDS = 5;
const HOSTS = 5000;
const RESTARTED = 1000;
const MILLION = 1_000_000;
/** Fewer than a 32nd of max_connections, as they come from one address. */
const WAITING = 600;
/** So that a load generator at one address can ask for many. */
const AS_PROXY = 'trusted_proxies = ["127.0.0.1"]';

const DENO: Program = [Deno.execPath(), "run", "--quiet"];

/**
 * @param settings more lines for its configuration
 * @param tree the folder of another version, to compare with
 */
async function startSftdyn(
  named: Named,
  flags: string[],
  clients: string,
  settings?: string,
  tree = ".",
): Promise<Server> {
  const server = new Server();
  const args = await sftdynArgs(server.port, named, clients, settings);
  return await server.start([...DENO, ...flags, ...RUN_FLAGS, `${tree}/main.ts`], args);
}

/** sftdyn with HTTPS alone. */
async function startHttps(
  named: Named,
  flags: string[],
  { cert, key }: { cert: string; key: string },
  settings: string,
): Promise<Server> {
  const server = new Server();
  const https = `https = "127.0.0.1:${server.port}"\ncert = "${cert}"\nkey = "${key}"\n${settings}`;
  const args = await sftdynArgs(server.port, named, clientLines(10), https);
  return await server.start([...DENO, ...flags, ...RUN_FLAGS, "./main.ts"], args);
}

/** The files of a self-signed one with a key of P-256. */
async function makeCertificate(): Promise<{ cert: string; key: string }> {
  const folder = await temporaryFolder();
  const [cert, key] = [`${folder}/cert.pem`, `${folder}/key.pem`];
  const options = "req -x509 -nodes -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -days 2 " +
    "-subj /CN=localhost -addext subjectAltName=IP:127.0.0.1 -addext basicConstraints=CA:FALSE " +
    `-keyout ${key} -out ${cert}`;
  await output("openssl", ...options.split(" "));
  return { cert, key };
}

/** A server of tools/bench/ to compare with. */
function startBaseline(file: string, args: (port: number) => string[]): Promise<Server> {
  const server = new Server();
  return server.start([...DENO, "-A", `tools/bench/${file}`], args(server.port));
}

/** The first request for an update makes one; those that are counted find nothing to do. */
async function askOnce({ port }: Server): Promise<void> {
  await (await fetch(`http://127.0.0.1:${port}/key1`)).text();
}

/** Each of so many hosts once; how many milliseconds that took. */
async function eachOnce({ port }: Server, hosts: number, ...right: string[]): Promise<number> {
  const startedAt = performance.now();
  let next = 0;
  await Promise.all(Array.from({ length: 64 }, async () => {
    for (let host; (host = next++) < hosts;) {
      const headers = { "X-Forwarded-For": UNCHANGED };
      const answer = await fetch(`http://127.0.0.1:${port}/key${host}`, { headers });
      const body = await answer.text();
      if (!right.includes(body)) throw new Error(`host ${host} got ${body}`);
    }
  }));
  return performance.now() - startedAt;
}

/** What a host costs when it comes for the first time is not what is measured. */
async function meetAll(server: Server): Promise<void> {
  await eachOnce(server, HOSTS, "OK", "UPTODATE");
}

/** The ratio of two loads' figures, and what it is made of. */
function compare(pairs: [Load, Load][], figure: "perSecond" | "p50"): [string, string] {
  return figure === "p50"
    ? describe(pairs, ({ p50 }) => p50, "ms", 2)
    : describe(pairs, ({ perSecond }) => perSecond, "/s");
}

const benches = {
  /** As clients come: each with a connection of its own. */
  async requests(named: Named, flags: string[]) {
    const each = await startBaseline(
      "one_process_each.ts",
      (port) => [`${port}`, `${named.port}`, named.keyFile],
    );
    const sftdyn = await startSftdyn(named, flags, clientLines(10), ONE_ADDRESS);
    const kinds: [string, path: string, body: string][] = [
      ["UPTODATE", "key1", "UPTODATE"],
      ["BADKEY", "wrong", "BADKEY"],
      ["own address", "", "127.0.0.1"],
    ];
    await askOnce(sftdyn);
    for (const [kind, path, body] of kinds) {
      const bare = await startBaseline("bare.ts", (port) => [`${port}`, body]);
      const pairs = await inTurns(() => get(sftdyn, path, body), () => get(bare, path, body));
      const [ratio, detail] = compare(pairs, "perSecond");
      report(`${kind}: new connections a second, of a bare server's`, ratio, "0.33", detail);
      await bare.stop();
    }
    const pairs = await inTurns(
      () => get(sftdyn, "key1", "UPTODATE"),
      () => get(each, "key1", "OK"),
    );
    const [ratio, detail] = compare(pairs, "perSecond");
    report("UPTODATE: new connections a second, of one process each", ratio, "-", detail);
    for (const server of [sftdyn, each]) await server.stop();
  },

  /** Likewise, each with a TLS handshake. */
  async https(named: Named, flags: string[]) {
    const { cert, key } = await makeCertificate();
    const sftdyn = await startHttps(named, flags, { cert, key }, ONE_ADDRESS);
    const body = "127.0.0.1";
    const bare = await startBaseline("bare.ts", (port) => [`${port}`, body, cert, key]);
    const load = (server: Server) => get(server, "", body, { scheme: "https" });
    const pairs = await inTurns(() => load(sftdyn), () => load(bare));
    const [ratio, detail] = compare(pairs, "perSecond");
    report(
      "own address: new HTTPS connections a second, of a bare server's",
      ratio,
      "0.85",
      detail,
    );
    for (const server of [sftdyn, bare]) await server.stop();
  },

  /** What somebody costs whose request does not come. */
  async waiting(named: Named, flags: string[]) {
    const settings = "max_connections = 20000";
    const certificate = await makeCertificate();
    const caCerts = [await Deno.readTextFile(certificate.cert)];
    const kinds: [string, Server, (port: number) => Promise<Deno.Conn>][] = [
      [
        "HTTP",
        await startSftdyn(named, flags, clientLines(10), settings),
        (port) => Deno.connect({ hostname: "127.0.0.1", port }),
      ],
      [
        "HTTPS",
        await startHttps(named, flags, certificate, settings),
        (port) => Deno.connectTls({ hostname: "127.0.0.1", port, caCerts }),
      ],
    ];
    for (const [kind, server, connect] of kinds) {
      const before = await server.memory();
      const conns: Deno.Conn[] = [];
      while (conns.length < WAITING) {
        const conn = await connect(server.port);
        await conn.write(new TextEncoder().encode("GET / HTTP/1.1\r\n"));
        conns.push(conn);
      }
      const each = (await server.memory() - before) * 1024 / WAITING;
      const detail = `of ${WAITING} that have sent half a request`;
      report(`memory of a waiting connection over ${kind}`, `${each.toFixed(0)} KB`, "-", detail);
      for (const conn of conns) conn.close();
      await server.stop();
    }
  },

  async updates(named: Named, flags: string[]) {
    const sftdyn = await startSftdyn(named, flags, clientLines(HOSTS), AS_PROXY);
    const each = await startBaseline(
      "one_process_each.ts",
      (port) => [`${port}`, `${named.port}`, named.keyFile],
    );
    await meetAll(sftdyn);
    const quiet: Load[] = [];
    for (let round = 0; round < ROUNDS; round++) quiet.push(await update(sftdyn, 256, HOSTS));
    const p99 = median(quiet.map((load) => load.p99));
    const detail = quiet.map((load) => load.p99.toFixed(0)).join(", ");
    report("p99 of an update, 256 connections", `${p99.toFixed(0)} ms`, "60 ms", `of ${detail}`);
    for (const [connections, wanted] of [[1, 20], [32, 60], [256, 150]] as const) {
      const pairs = await inTurns(
        () => update(sftdyn, connections, HOSTS),
        () => update(each, connections, HOSTS),
      );
      const [ratio, detail] = compare(pairs, "perSecond");
      const name = connections === 1 ? "1 connection" : `${connections} connections`;
      report(`updates a second, ${name}, of one process each`, ratio, `${wanted}`, detail);
      if (connections === 1) {
        const [p50, detail] = compare(pairs, "p50");
        report("p50 of an update, 1 connection, of one process each", p50, "0.1", detail);
      }
    }
    await each.stop();
    await sftdyn.stop();
  },

  /** Against an older version, if there is a folder of one. */
  async before(named: Named, flags: string[]) {
    const tree = Deno.env.get("SFTDYN_BENCH_BEFORE");
    if (tree === undefined) return;
    const start = async (settings: string) =>
      [
        await startSftdyn(named, flags, clientLines(HOSTS), settings),
        await startSftdyn(named, flags, clientLines(HOSTS), settings, tree),
      ] as const;
    const measure = async (
      what: string,
      [now, before]: readonly [Server, Server],
      load: (server: Server) => Promise<Load>,
    ) => {
      const pairs = await inTurns(() => load(now), () => load(before));
      const [ratio, detail] = compare(pairs, "perSecond");
      report(`${what} a second, of those before`, ratio, "0.95", detail);
    };
    const alone = await start(ONE_ADDRESS);
    for (const server of alone) await askOnce(server);
    await measure("UPTODATE on new connections", alone, (server) => {
      return get(server, "key1", "UPTODATE");
    });
    const behind = await start(AS_PROXY);
    for (const server of behind) await meetAll(server);
    await measure("UPTODATE, connections: 32,", behind, (server) => unchanged(server, 32, HOSTS));
    for (const connections of [1, 32, 256]) {
      await measure(`updates, connections: ${connections},`, behind, (server) => {
        return update(server, connections, HOSTS);
      });
    }
    for (const server of [...alone, ...behind]) await server.stop();
  },

  /** What it costs to ask a function of the administrator's for each request. */
  async hooks(named: Named, flags: string[]) {
    const hooks = `${await temporaryFolder()}/hooks.js`;
    await Deno.writeTextFile(
      hooks,
      'export const getHost = (key) => "h" + key.slice(3) + ".dyn.example";',
    );
    const without = await startSftdyn(named, flags, clientLines(HOSTS), AS_PROXY);
    const settings = `hooks = "${hooks}"\n${AS_PROXY}`;
    const sftdyn = await startSftdyn(named, flags, clientLines(HOSTS), settings);
    for (const server of [sftdyn, without]) await meetAll(server);
    const kinds: [string, (server: Server) => Promise<Load>][] = [
      ["unchanged hosts", (server) => unchanged(server, 32, HOSTS)],
      ["updates", (server) => update(server, 32, HOSTS)],
    ];
    for (const [kind, load] of kinds) {
      const pairs = await inTurns(() => load(sftdyn), () => load(without));
      const [ratio, detail] = compare(pairs, "perSecond");
      report(`${kind} a second with a getHost, of those without`, ratio, "0.5", detail);
    }
    for (const server of [sftdyn, without]) await server.stop();
  },

  /** What it costs to remember who has called. */
  async status(named: Named, flags: string[]) {
    const without = await startSftdyn(named, flags, clientLines(HOSTS), AS_PROXY);
    const settings = `status = "127.0.0.1:${freePort()}"\n${AS_PROXY}`;
    const sftdyn = await startSftdyn(named, flags, clientLines(HOSTS), settings);
    for (const server of [sftdyn, without]) await meetAll(server);
    const load = (server: Server) => unchanged(server, 32, HOSTS);
    const pairs = await inTurns(() => load(sftdyn), () => load(without));
    const [ratio, detail] = compare(pairs, "perSecond");
    report("unchanged hosts a second with status, of those without", ratio, "0.9", detail);
    for (const server of [sftdyn, without]) await server.stop();
  },

  async asks(named: Named, flags: string[]) {
    const settings = `recheck = 0\n${AS_PROXY}\n[zones."dyn.example"]`;
    const sftdyn = await startSftdyn(named, flags, clientLines(HOSTS), settings);
    await meetAll(sftdyn);
    const rounds: Load[] = [];
    for (let round = 0; round < ROUNDS; round++) rounds.push(await unchanged(sftdyn, 256, HOSTS));
    const speeds = rounds.map(({ perSecond }) => perSecond);
    const detail = speeds.map((speed) => speed.toFixed(0)).join(", ");
    const speed = `${median(speeds).toFixed(0)}/s`;
    report("the nameserver asked for each request, 256 connections", speed, "20000/s", detail);
    await sftdyn.stop();
  },

  async restart(named: Named, flags: string[]) {
    const start = () => startSftdyn(named, flags, clientLines(RESTARTED), AS_PROXY);
    const first = await start();
    await eachOnce(first, RESTARTED, "OK", "UPTODATE");
    await first.stop();
    const times: number[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      const sftdyn = await start();
      times.push(await eachOnce(sftdyn, RESTARTED, "UPTODATE"));
      await sftdyn.stop();
    }
    const detail = times.map((time) => time.toFixed(0)).join(", ");
    const time = `${median(times).toFixed(0)} ms`;
    report("1,000 unchanged hosts after a restart, 64 connections", time, "2000 ms", detail);
  },

  async clients(named: Named, flags: string[]) {
    const few = await startSftdyn(named, flags, clientLines(10), ONE_ADDRESS);
    const many = await startSftdyn(named, flags, clientLines(MILLION), ONE_ADDRESS);
    for (const server of [few, many]) await askOnce(server);
    const pairs = await inTurns(
      () => get(many, "key1", "UPTODATE"),
      () => get(few, "key1", "UPTODATE"),
    );
    const [ratio, detail] = compare(pairs, "perSecond");
    report("lookups a second with 1,000,000 clients, of those with 10", ratio, "0.9", detail);
    await many.stop();
    await few.stop();
  },

  async memory(named: Named, flags: string[]) {
    const sftdyn = await startSftdyn(named, flags, clientLines(HOSTS), AS_PROXY);
    let sent = 0;
    while (sent < 10_000) sent += (await update(sftdyn, 64, HOSTS, 1)).requests;
    const early = await sftdyn.memory();
    const first = sent;
    while (sent < MILLION) sent += (await update(sftdyn, 64, HOSTS, 10)).requests;
    const late = await sftdyn.memory();
    const detail = `${early.toFixed(0)} MB after ${first}, ${late.toFixed(0)} MB after ${sent}`;
    report(
      "memory after 1,000,000 updates, of that after 10,000",
      (late / early).toFixed(2),
      "1.1",
      detail,
    );
    await sftdyn.stop();
  },

  executable,
};

async function main(names: string[]): Promise<number> {
  await ensurePrograms(BENCH_PROGRAMS);
  const flags = await stdFlags();
  // The zone in memory, and no line for every change: neither disk nor log are to be measured.
  const zoneFolder = await temporaryFolder({ dir: "/dev/shm" });
  const named = await startNamed({
    threads: navigator.hardwareConcurrency,
    zoneFolder,
    isQuiet: true,
  });
  atEnd(() => named.stop());
  for (const [name, bench] of Object.entries(benches)) {
    if (names.length === 0 || names.includes(name)) await bench(named, flags);
  }
  console.log(`\n${await machine()}\n`);
  printTable();
  return 0;
}

async function machine(): Promise<string> {
  const cpu = /model name\s*:\s*(.*)/.exec(await Deno.readTextFile("/proc/cpuinfo"))?.[1] ?? "?";
  const [bind] = (await output(await findProgram("named") ?? "named", "-v")).split(" (");
  return `${navigator.hardwareConcurrency} cores (${cpu}), Deno ${Deno.version.deno}, ${bind}`;
}

let code = 1;
try {
  code = await main(Deno.args);
} catch (error) {
  if (!(error instanceof Error)) throw error;
  console.error(error instanceof SetupError ? error.message : `bench failed: ${error.message}`);
}
await cleanUp();
Deno.exit(code);
