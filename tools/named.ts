/**
 * A throwaway BIND for the demo and the tests: on a free loopback port, with
 * its files in a temporary folder and a session key of its own.
 */

import { run } from "./program.ts";
import { ServerProcess } from "./server_process.ts";
import { findProgram, SetupError } from "./setup.ts";

export interface NamedOptions {
  /** The zones that it serves, each updatable by its session key. */
  zones?: string[];
  /** More text for the end of named.conf. */
  extra?: string;
  /** Instead of `update-policy local;` in every zone. */
  policy?: string;
  /** Its worker threads. */
  threads?: number;
  /** Where its zones are, with their journals; in the temporary folder if not given. */
  zoneFolder?: string;
  /** Whether it logs no changes: what that costs is not to be measured. */
  isQuiet?: boolean;
  /** More of its environment. */
  env?: Record<string, string>;
}

export interface Named {
  port: number;
  folder: string;
  /** For `nsupdate -k`. */
  keyFile: string;
  pid: number;
  /** What `dig +short` says of a name's records. */
  dig(name: string, type: string): Promise<string[]>;
  rndc(...args: string[]): Promise<string>;
  kill(signal: Deno.Signal): void;
  /** Kills it with SIGKILL, and waits until nothing is left of it. */
  killed(): Promise<void>;
  /** Starts it once more after it ended, on the same port and files, with a new session key. */
  restart(): Promise<void>;
  /** Ends it, waits for that, and removes its files. */
  stop(): Promise<void>;
  /** What it logged since it was started last. */
  log(): string;
}

const QUIET = `logging {
  channel log { stderr; severity notice; print-time yes; };
  category default { log; };
  category update { null; };
  category update-security { null; };
};`;

/** Of which ports one is chosen: below those that the system gives to clients (ip(7)), if any are. */
const PORTS = (() => {
  const first = 10_000;
  const range = Deno.readTextFileSync("/proc/sys/net/ipv4/ip_local_port_range");
  const count = Number.parseInt(range) - first;
  return { first, count: count > 1000 ? count : 20_000 };
})();
/** How many of them are ours alone: others that choose at the same time have other ones. */
const BLOCK = 200;
const firstPort = claimBlock();
/** Each next port is another, so that no two that are chosen before either is taken are the same. */
let nextPort = 0;

/** The second port of a block: its first one is listened on as long as this runs, which makes the block ours. */
function claimBlock(): number {
  const blocks = Math.floor(PORTS.count / BLOCK);
  const start = Math.floor(Math.random() * blocks);
  for (let tries = 0;; tries++) {
    const port = PORTS.first + (start + tries) % blocks * BLOCK;
    try {
      Deno.listen({ hostname: "127.0.0.1", port }).unref();
      return port + 1;
    } catch (error) {
      if (!(error instanceof Deno.errors.AddrInUse) || tries === blocks) throw error;
    }
  }
}

/**
 * A port that was free a moment ago on both loopback addresses, and that no
 * client is given meanwhile: a connection of anybody's would take it, and a
 * nameserver would now and then meet an nsupdate that has its own port.
 */
export function freePort(): number {
  for (let tries = 0;; tries++) {
    const port = firstPort + nextPort++ % (BLOCK - 1);
    try {
      for (const hostname of ["127.0.0.1", "::1"]) Deno.listen({ hostname, port }).close();
      return port;
    } catch (error) {
      // Without IPv6, no ::1 is there to be taken.
      if (error instanceof Deno.errors.AddrNotAvailable) return port;
      if (!(error instanceof Deno.errors.AddrInUse) || tries === BLOCK) throw error;
    }
  }
}

/** Runs a program to its end; what it printed, trimmed. */
export async function output(program: string, ...args: string[]): Promise<string> {
  // A proxy of this machine is not to come between curl and loopback.
  const { code, stdout, stderr } = await run([program, ...args], { env: { no_proxy: "*" } });
  if (code !== 0) throw new Error(`${program} failed: ${stdout.trim()} ${stderr.trim()}`);
  return stdout.trim();
}

/** Starts a BIND and waits until it answers. */
export async function startNamed(options: NamedOptions = {}): Promise<Named> {
  const folder = await Deno.makeTempDir({ prefix: "sftdyn-named-" });
  const port = freePort();
  try {
    const program = await copyProgram("named", folder);
    const control = await writeFiles(folder, port, options);
    const { threads = 1, isQuiet = false, env = {} } = options;
    // With -g it logs everything, whatever named.conf says (named(8)).
    const args = [isQuiet ? "-f" : "-g", "-n", `${threads}`, "-c", `${folder}/named.conf`];
    return await new RunningNamed(folder, port, [program, ...args], control, env).start();
  } catch (error) {
    await Deno.remove(folder, { recursive: true });
    throw error;
  }
}

/**
 * AppArmor and SELinux confine an installed server to its own folders; a copy
 * of it under another path may read ours.
 */
export async function copyProgram(name: string, folder: string): Promise<string> {
  const program = await findProgram(name);
  if (program === undefined) throw new SetupError(`missing program: ${name}`);
  await Deno.copyFile(program, `${folder}/${name}`);
  return `${folder}/${name}`;
}

async function writeFiles(
  folder: string,
  port: number,
  options: NamedOptions,
): Promise<string[]> {
  const { zones = ["dyn.example"], extra = "", policy = "update-policy local;" } = options;
  const { zoneFolder = folder, isQuiet = false } = options;
  const control = freePort();
  const secret = btoa(String.fromCharCode(...crypto.getRandomValues(new Uint8Array(32))));
  const key = `key "rndc" { algorithm hmac-sha256; secret "${secret}"; };\n`;
  await Deno.writeTextFile(`${folder}/rndc.key`, key, { mode: 0o600 });
  // With `-k`, rndc would still prefer the machine's own rndc.conf.
  await Deno.writeTextFile(
    `${folder}/rndc.conf`,
    `${key}options { default-key "rndc"; default-server 127.0.0.1; default-port ${control}; };\n`,
    { mode: 0o600 },
  );
  for (const zone of zones) {
    await Deno.writeTextFile(
      `${zoneFolder}/${zone}.zone`,
      `$TTL 60\n@ IN SOA ns.${zone}. admin.${zone}. 1 3600 600 86400 60\n` +
        `@ IN NS ns.${zone}.\nns IN A 127.0.0.1\n`,
    );
  }
  await Deno.writeTextFile(
    `${folder}/named.conf`,
    `include "${folder}/rndc.key";
controls { inet 127.0.0.1 port ${control} allow { 127.0.0.1; } keys { "rndc"; }; };
options {
  directory "${folder}";
  pid-file "${folder}/named.pid";
  session-keyfile "${folder}/session.key";
  listen-on port ${port} { 127.0.0.1; };
  listen-on-v6 port ${port} { ::1; };
  recursion no;
  notify no;
  dnssec-validation no;
  allow-transfer { 127.0.0.1; };
};
${
      zones.map((zone) =>
        `zone "${zone}" { type master; file "${zoneFolder}/${zone}.zone"; ${policy} };`
      )
        .join("\n")
    }
${isQuiet ? QUIET : ""}
${extra}
`,
  );
  return ["-c", `${folder}/rndc.conf`];
}

class RunningNamed extends ServerProcess implements Named {
  constructor(
    readonly folder: string,
    readonly port: number,
    command: [string, ...string[]],
    readonly control: string[],
    env: Record<string, string>,
  ) {
    super(command, / running\n/, env);
  }

  get keyFile(): string {
    return `${this.folder}/session.key`;
  }

  dig(name: string, type: string): Promise<string[]> {
    return dig(this.port, name, type);
  }

  rndc(...args: string[]): Promise<string> {
    return findProgram("rndc").then((rndc) => output(rndc ?? "rndc", ...this.control, ...args));
  }

  override async stop(): Promise<void> {
    await super.stop();
    await Deno.remove(this.folder, { recursive: true });
  }
}

/** What `dig +short` says of a name's records at a nameserver on this machine. */
export async function dig(port: number, name: string, type: string): Promise<string[]> {
  const text = await output("dig", "@127.0.0.1", "-p", `${port}`, "+short", "+tcp", name, type);
  return text === "" ? [] : text.split("\n");
}
