/**
 * `deno task demo [--keep]`: the main job on real parts. A throwaway BIND, a
 * configuration, sftdyn itself, and curl and dig to show that it works. Exits
 * 0 only if every answer and every record is right; leaves nothing behind.
 */

import { coloured, hasColour } from "../lib/colour.ts";
import { ROOT, stdFlags } from "./deno.ts";
import { freePort, type Named, output, startNamed } from "./named.ts";
import { RUN_FLAGS } from "./run_flags.ts";
import { DEMO_PROGRAMS, ensurePrograms, SetupError } from "./setup.ts";

const HOST = "host.dyn.example";
const hasColours = hasColour(Deno.stdout);
const START_TIMEOUT = 20_000;

/** What must be undone at the end, in reverse. */
const cleanups: (() => Promise<unknown>)[] = [];
let exitCode: number | undefined;
/** What sftdyn has logged and is not shown yet: it would fall between a command and its answer. */
let heldLog: string | undefined;

/** Undoes everything and exits; if that is under way already, waits for it. */
async function stop(code: number): Promise<never> {
  if (exitCode !== undefined) return await new Promise(() => {});
  exitCode = code;
  for (let undo; (undo = cleanups.pop()) !== undefined;) await undo();
  Deno.exit(exitCode);
}

async function demo(keep: boolean): Promise<void> {
  await ensurePrograms(DEMO_PROGRAMS);
  // SIGHUP: its terminal was closed.
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    Deno.addSignalListener(signal, () => void stop(keep ? 0 : 130));
  }
  const flags = await stdFlags();
  const folder = Deno.makeTempDirSync({ prefix: "sftdyn-demo-" });
  cleanups.push(() => Deno.remove(folder, { recursive: true }));

  const starting = startNamed();
  // An interrupt waits for the start, so as not to leave half of one behind.
  cleanups.push(() => starting.then((named) => named.stop(), () => {}));
  const named = await starting;
  const key = await newKey(flags);
  const [http, https] = [freePort(), freePort()];
  await makeCertificate(folder);
  await Deno.writeTextFile(`${folder}/sftdyn.toml`, configuration(named, http, https, key));
  console.log(
    `# a BIND with the zone dyn.example answers on port ${named.port}; this is sftdyn.toml:`,
  );
  console.log((await Deno.readTextFile(`${folder}/sftdyn.toml`)).replace(/^/gm, "    ").trimEnd());
  await startSftdyn(flags, `${folder}/sftdyn.toml`);

  const url = `http://127.0.0.1:${http}`;
  const url6 = `http://[::1]:${http}`;
  const tls = `https://127.0.0.1:${https}`;
  explain("which address have I?");
  await curl("127.0.0.1", `${url}/`);
  explain("a key that nobody has");
  await curl("BADKEY", `${url}/wrong`);
  explain("an update over IPv4");
  await curl("OK", `${url}/${key}`);
  await dig(named, "A", ["127.0.0.1"]);
  explain("the same again");
  await curl("UPTODATE", `${url}/${key}`);
  if (hasIpv6()) {
    explain("an update over IPv6 leaves the IPv4 address alone");
    await curl("OK", `${url6}/${key}`);
    await dig(named, "AAAA", ["::1"]);
    await dig(named, "A", ["127.0.0.1"]);
  } else explain("NOT SHOWN, an update over IPv6: this machine has no ::1");
  explain("the device has a new address");
  await curl("OK", "--interface", "127.0.0.2", `${url}/${key}`);
  await dig(named, "A", ["127.0.0.2"]);
  explain("the same over HTTPS, with a certificate of our own");
  const cacert = ["--cacert", `${folder}/cert.pem`];
  await curl("OK", ...cacert, `${tls}/${key}`);
  await dig(named, "A", ["127.0.0.1"]);
  await curl("UPTODATE", ...cacert, `${tls}/${key}`);

  if (!keep) return;
  showLog();
  heldLog = undefined;
  console.log(`\n# yours to play with, until Ctrl-C:
curl ${url}/${key}
curl ${url6}/${key}
curl --interface 127.0.0.3 \\
    ${url}/${key}
curl --cacert ${folder}/cert.pem \\
    ${tls}/${key}
dig @127.0.0.1 -p ${named.port} ${HOST} A`);
  await new Promise(() => {});
}

/** Made by `sftdyn key`, as an administrator would. */
async function newKey(flags: string[]): Promise<string> {
  const args = ["run", "--quiet", ...flags, ...RUN_FLAGS, `${ROOT}/main.ts`, "key", HOST];
  return /^"([0-9a-f]{40})" = /m.exec(await output(Deno.execPath(), ...args))![1]!;
}

function configuration(named: Named, http: number, https: number, key: string): string {
  return `http = "${http}"
https = "${https}"
cert = "cert.pem"
key = "key.pem"
nameserver = "127.0.0.1:${named.port}"
nskeyfile = "${named.keyFile}"
min_interval = 0

[clients]
"${key}" = "${HOST}"
`;
}

async function makeCertificate(folder: string): Promise<void> {
  const words =
    "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30 -subj /CN=localhost " +
    "-addext subjectAltName=IP:127.0.0.1,DNS:localhost";
  const files = ["-keyout", `${folder}/key.pem`, "-out", `${folder}/cert.pem`];
  await output("openssl", ...words.split(" "), ...files);
}

/** Starts sftdyn and waits until it listens on all that it was told to. */
async function startSftdyn(flags: string[], config: string): Promise<void> {
  const args = ["run", "--quiet", ...flags, ...RUN_FLAGS, `${ROOT}/main.ts`, config];
  console.log(`\n$ deno task start ${config}`);
  const process = new Deno.Command(Deno.execPath(), {
    args,
    stdin: "null",
    stdout: "null",
    stderr: "piped",
  }).spawn();
  cleanups.push(async () => {
    try {
      process.kill("SIGTERM");
    } catch {
      // Ctrl-C in a terminal reaches it as well.
    }
    await process.status;
  });
  const ready = Promise.withResolvers<void>();
  (async () => {
    let said = "";
    for await (const text of process.stderr.pipeThrough(new TextDecoderStream())) {
      said += text;
      if (heldLog === undefined) await Deno.stdout.write(new TextEncoder().encode(text));
      else heldLog += text;
      if (said.match(/listening on/g)?.length === 2) ready.resolve();
    }
    ready.reject(new Error("sftdyn ended"));
  })();
  const timer = setTimeout(() => ready.reject(new Error("sftdyn did not start")), START_TIMEOUT);
  await ready.promise;
  clearTimeout(timer);
  heldLog = "";
}

/** Shows what sftdyn has logged meanwhile, without the times. */
function showLog(): void {
  const text = heldLog?.trimEnd() ?? "";
  if (text !== "") {
    const lines = text.replace(/^(\S+Z )?/gm, "    ");
    console.log(hasColours ? coloured(lines, "dim") : lines);
  }
  if (heldLog !== undefined) heldLog = "";
}

function hasIpv6(): boolean {
  try {
    Deno.listen({ hostname: "::1", port: 0 }).close();
    return true;
  } catch {
    return false;
  }
}

async function curl(expected: string, ...args: string[]): Promise<void> {
  showCommand(`curl -sS ${args.join(" ")}`);
  show(await output("curl", "-sS", ...args), expected);
}

async function dig(named: Named, type: string, expected: string[]): Promise<void> {
  showCommand(`dig @127.0.0.1 -p ${named.port} +short ${HOST} ${type}`);
  show((await named.dig(HOST, type)).join("\n"), expected.join("\n"));
}

/** What does not fit into a terminal's line has its last word in the next. */
function showCommand(command: string): void {
  const line = `$ ${command}`;
  console.log(line.length <= 80 ? line : line.replace(/ (?=\S+$)/, " \\\n    "));
}

/** A new part of the demo. */
function explain(text: string): void {
  showLog();
  console.log(`\n${hasColours ? coloured(`# ${text}`, "bold") : `# ${text}`}`);
}

function show(answer: string, expected: string): void {
  console.log(hasColours ? coloured(answer, answer === expected ? "green" : "red") : answer);
  showLog();
  if (answer !== expected) throw new Error(`expected ${expected}`);
}

try {
  await demo(Deno.args.includes("--keep"));
} catch (error) {
  if (!(error instanceof Error)) throw error;
  if (exitCode === undefined) {
    const message = error instanceof SetupError ? error.message : `demo failed: ${error.message}`;
    console.error(hasColour(Deno.stderr) ? coloured(message, "red") : message);
  }
  await stop(1);
}
console.log("\nall answers and records were right");
await stop(0);
