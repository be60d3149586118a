/**
 * `deno task bench [ROW …]`: sftdyn against a bare Deno.serve, and against one
 * nsupdate for each request; everything on this machine, in one run, in turns.
 * Prints medians and ratios; fails on a wrong answer, never on a slow one.
 */

import { ROOT, stdFlags } from "./deno.ts";
import { freePort, type Named, output, startNamed } from "./named.ts";
import { RUN_FLAGS } from "./run_flags.ts";
import { BENCH_PROGRAMS, ensurePrograms, SetupError } from "./setup.ts";

const ROUNDS = 5;
const SECONDS = 3;
const HOSTS = 5000;
const MILLION = 1_000_000;
/** So that a load generator at one address can ask for many. */
const AS_PROXY = 'trusted_proxies = ["127.0.0.1"]';

interface Load {
  requests: number;
  perSecond: number;
  /** Milliseconds. */
  p50: number;
  p99: number;
}

const rows: string[][] = [];
const cleanups: (() => Promise<unknown>)[] = [];
let run = 0;

function report(what: string, value: string, wanted: string, detail: string): void {
  rows.push([what, value, wanted, detail]);
  console.error(`${what}: ${value} (wanted: ${wanted}) ${detail}`);
}

function median(numbers: number[]): number {
  return numbers.toSorted((a, b) => a - b)[numbers.length >> 1]!;
}

/** A process of ours that serves on a port; waits until it does. */
class Server {
  readonly port = freePort();
  #process: Deno.ChildProcess | undefined;

  async start(args: (port: number) => Promise<string[]> | string[]): Promise<this> {
    this.#process = new Deno.Command(Deno.execPath(), {
      args: ["run", "--quiet", ...await args(this.port)],
      cwd: ROOT,
      stdin: "null",
      stdout: "null",
      stderr: "null",
    }).spawn();
    cleanups.push(() => this.stop());
    for (let tries = 0;; tries++) {
      try {
        (await Deno.connect({ hostname: "127.0.0.1", port: this.port })).close();
        return this;
      } catch (error) {
        if (tries > 6000) throw error;
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
    }
  }

  /** Resident memory in MB. */
  async memory(): Promise<number> {
    const status = await Deno.readTextFile(`/proc/${this.#process!.pid}/status`);
    return Number(/VmRSS:\s+(\d+)/.exec(status)![1]) / 1024;
  }

  async stop(): Promise<void> {
    try {
      this.#process!.kill("SIGTERM");
    } catch {
      // Stopped before.
    }
    await this.#process!.status;
  }
}

async function wrk(
  { port }: Server,
  connections: number,
  script: string,
  path: string,
  args: (string | number)[],
  seconds = SECONDS,
): Promise<Load> {
  const url = `http://127.0.0.1:${port}/${path}`;
  const threads = Math.min(2, connections);
  const options = ["-t", `${threads}`, "-c", `${connections}`, "-d", `${seconds}s`];
  const said = await output(
    "wrk",
    ...options,
    "--timeout",
    "60s",
    "-s",
    `${ROOT}/tools/bench/${script}`,
    url,
    "--",
    ...args.map(String),
  );
  const numbers = /^result (\d+) (\d+) (\d+) (\d+) (\d+) (\d+)$/m.exec(said)?.slice(1).map(Number);
  if (numbers === undefined) throw new Error(`wrk said: ${said}`);
  const [requests, duration, wrong, errors, p50, p99] = numbers as [
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  if (wrong > 0 || errors > 0 || requests === 0) {
    throw new Error(`${url}: ${wrong} wrong answers, ${errors} errors of ${requests} requests`);
  }
  return { requests, perSecond: requests / duration * 1e6, p50: p50 / 1000, p99: p99 / 1000 };
}

const get = (server: Server, path: string, right: string) =>
  wrk(server, 32, "get.lua", path, [right]);
const update = (server: Server, connections: number, seconds?: number) =>
  wrk(server, connections, "update.lua", "", [HOSTS, run++], seconds);

/** @param settings more lines for its configuration */
async function startSftdyn(
  named: Named,
  flags: string[],
  clients: string,
  settings = "",
): Promise<Server> {
  const folder = await Deno.makeTempDir({ prefix: "sftdyn-bench-" });
  cleanups.push(() => Deno.remove(folder, { recursive: true }));
  return await new Server().start(async (port) => {
    await Deno.writeTextFile(
      `${folder}/sftdyn.toml`,
      `http = "127.0.0.1:${port}"
nameserver = "127.0.0.1:${named.port}"
nskeyfile = "${named.keyFile}"
min_interval = 0
recheck = 86400
${settings}
[clients]
${clients}`,
    );
    return [...flags, ...RUN_FLAGS, "main.ts", "-qq", `${folder}/sftdyn.toml`];
  });
}

function clients(count: number): string {
  return Array.from({ length: count }, (_, i) => `"key${i}" = "h${i}.dyn.example"\n`).join("");
}

/** Two sides of a comparison in turns; the ratios of A's figures to B's, pair by pair. */
async function inTurns(a: () => Promise<Load>, b: () => Promise<Load>): Promise<[Load, Load][]> {
  // The first round finds neither side's code compiled, and does not count.
  await a();
  await b();
  const pairs: [Load, Load][] = [];
  for (let round = 0; round < ROUNDS; round++) pairs.push([await a(), await b()]);
  return pairs;
}

function describe(pairs: [Load, Load][], figure: keyof Load, unit: string): [string, string] {
  const ratios = pairs.map(([a, b]) => a[figure] / b[figure]);
  const show = (load: number) =>
    median(pairs.map((pair) => pair[load]![figure])).toFixed(unit === "ms" ? 2 : 0);
  const range = `${Math.min(...ratios).toFixed(2)}-${Math.max(...ratios).toFixed(2)}`;
  return [
    median(ratios).toFixed(2),
    `${show(0)} ${unit} against ${show(1)} ${unit}, ratios ${range}`,
  ];
}

const benches = {
  async requests(named: Named, flags: string[]) {
    const sftdyn = await startSftdyn(named, flags, clients(10));
    const kinds: [string, path: string, body: string][] = [
      ["UPTODATE", "key1", "UPTODATE"],
      ["BADKEY", "wrong", "BADKEY"],
      ["own address", "", "127.0.0.1"],
    ];
    await fetch(`http://127.0.0.1:${sftdyn.port}/key1`).then((response) => response.text());
    for (const [kind, path, body] of kinds) {
      const bare = await new Server().start((
        port,
      ) => ["-A", "tools/bench/bare.ts", `${port}`, body]);
      const pairs = await inTurns(() => get(sftdyn, path, body), () => get(bare, path, body));
      const [ratio, detail] = describe(pairs, "perSecond", "/s");
      report(`${kind}: requests a second, of a bare server's`, ratio, "0.75", detail);
      await bare.stop();
    }
    await sftdyn.stop();
  },

  async updates(named: Named, flags: string[]) {
    const sftdyn = await startSftdyn(named, flags, clients(HOSTS), AS_PROXY);
    const each = await new Server().start((
      port,
    ) => ["-A", "tools/bench/one_process_each.ts", `${port}`, `${named.port}`, named.keyFile]);
    // The engine learns each host's zone once; that is not what is measured.
    await update(sftdyn, 256);
    const quiet: Load[] = [];
    for (let round = 0; round < ROUNDS; round++) quiet.push(await update(sftdyn, 256));
    const p99 = median(quiet.map((load) => load.p99));
    const detail = quiet.map((load) => load.p99.toFixed(0)).join(", ");
    report("p99 of an update, 256 connections", `${p99.toFixed(0)} ms`, "60 ms", `of ${detail}`);
    for (const [connections, wanted] of [[1, 20], [32, 60], [256, 150]] as const) {
      const pairs = await inTurns(
        () => update(sftdyn, connections),
        () => update(each, connections),
      );
      const [ratio, detail] = describe(pairs, "perSecond", "/s");
      const name = connections === 1 ? "1 connection" : `${connections} connections`;
      report(`updates a second, ${name}, of one process each`, ratio, `${wanted}`, detail);
      if (connections === 1) {
        const [p50, detail] = describe(pairs, "p50", "ms");
        report("p50 of an update, 1 connection, of one process each", p50, "0.1", detail);
      }
    }
    await each.stop();
    await sftdyn.stop();
  },

  async clients(named: Named, flags: string[]) {
    const few = await startSftdyn(named, flags, clients(10));
    const many = await startSftdyn(named, flags, clients(MILLION));
    for (const server of [few, many]) {
      await fetch(`http://127.0.0.1:${server.port}/key1`).then((response) => response.text());
    }
    const pairs = await inTurns(
      () => get(many, "key1", "UPTODATE"),
      () => get(few, "key1", "UPTODATE"),
    );
    const [ratio, detail] = describe(pairs, "perSecond", "/s");
    report("lookups a second with 1,000,000 clients, of those with 10", ratio, "0.9", detail);
    await many.stop();
    await few.stop();
  },

  async memory(named: Named, flags: string[]) {
    const sftdyn = await startSftdyn(named, flags, clients(HOSTS), AS_PROXY);
    let sent = 0;
    while (sent < 10_000) sent += (await update(sftdyn, 64, 1)).requests;
    const early = await sftdyn.memory();
    const first = sent;
    while (sent < MILLION) sent += (await update(sftdyn, 64, 10)).requests;
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
};

async function main(names: string[]): Promise<number> {
  await ensurePrograms(BENCH_PROGRAMS);
  const flags = await stdFlags();
  // The zone in memory, and no line for every change: neither disk nor log are to be measured.
  const zoneFolder = await Deno.makeTempDir({ dir: "/dev/shm", prefix: "sftdyn-bench-" });
  cleanups.push(() => Deno.remove(zoneFolder, { recursive: true }));
  const named = await startNamed({
    threads: navigator.hardwareConcurrency,
    zoneFolder,
    extra: "logging { category update { null; }; };",
  });
  cleanups.push(() => named.stop());
  for (const [name, bench] of Object.entries(benches)) {
    if (names.length === 0 || names.includes(name)) await bench(named, flags);
  }
  console.log(`\n${await machine()}\n`);
  console.log("| what | measured | wanted | |\n| --- | --- | --- | --- |");
  for (const row of rows) console.log(`| ${row.join(" | ")} |`);
  return 0;
}

async function machine(): Promise<string> {
  const cpu = /model name\s*:\s*(.*)/.exec(await Deno.readTextFile("/proc/cpuinfo"))?.[1] ?? "?";
  const bind = (await output("nsupdate", "-V")).replace("nsupdate", "BIND");
  return `${navigator.hardwareConcurrency} cores (${cpu}), Deno ${Deno.version.deno}, ${bind}`;
}

let code = 1;
try {
  code = await main(Deno.args);
} catch (error) {
  if (!(error instanceof Error)) throw error;
  console.error(error instanceof SetupError ? error.message : `bench failed: ${error.message}`);
}
for (let undo; (undo = cleanups.pop()) !== undefined;) await undo();
Deno.exit(code);
