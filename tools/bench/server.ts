/** The servers that the bench compares: processes of ours, each on a port of its own. */

import { ROOT } from "../deno.ts";
import { freePort, type Named } from "../named.ts";

/** A program and its first arguments. */
export type Program = readonly [string, ...string[]];

/** Milliseconds. */
const START_TIMEOUT = 60_000;

const cleanups: (() => Promise<unknown>)[] = [];

/** Has something undone when the bench ends, however it does; the last one first. */
export function atEnd(undo: () => Promise<unknown>): void {
  cleanups.push(undo);
}

export async function cleanUp(): Promise<void> {
  for (let undo; (undo = cleanups.pop()) !== undefined;) await undo();
}

/** A folder that is removed at the end. */
export async function temporaryFolder(options: Deno.MakeTempOptions = {}): Promise<string> {
  const folder = await Deno.makeTempDir({ prefix: "sftdyn-bench-", ...options });
  atEnd(() => Deno.remove(folder, { recursive: true }));
  return folder;
}

/** A process of ours that serves on a port. */
export class Server {
  readonly port = freePort();
  #process: Deno.ChildProcess | undefined;
  #hasEnded = false;

  /** Starts it, and does not wait for it. */
  spawn([program, ...first]: Program, args: string[], env: Record<string, string> = {}): void {
    const process = new Deno.Command(program, {
      args: [...first, ...args],
      env,
      cwd: ROOT,
      stdin: "null",
      stdout: "null",
      stderr: "null",
    }).spawn();
    this.#process = process;
    process.status.then(() => this.#hasEnded = true);
    atEnd(() => this.stop());
  }

  /** A connection to it, as soon as it takes one. */
  async connect(): Promise<Deno.Conn> {
    const deadline = performance.now() + START_TIMEOUT;
    while (true) {
      try {
        return await Deno.connect({ hostname: "127.0.0.1", port: this.port });
      } catch (error) {
        if (this.#hasEnded) throw new Error("a server ended when it should start");
        if (performance.now() > deadline) throw error;
        await new Promise((resolve) => setTimeout(resolve, 1));
      }
    }
  }

  /** Starts it, and waits until it serves. */
  async start(program: Program, args: string[]): Promise<this> {
    this.spawn(program, args);
    (await this.connect()).close();
    return this;
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

/** So that 32 connections of one address are no more than it may have. */
export const ONE_ADDRESS = "max_connections = 2000";

/**
 * The arguments with which sftdyn serves on a port of loopback.
 *
 * @param settings more lines for its configuration
 */
export async function sftdynArgs(
  port: number,
  named: Named,
  clients: string,
  settings = "",
): Promise<string[]> {
  const folder = await temporaryFolder();
  await Deno.writeTextFile(
    `${folder}/sftdyn.toml`,
    `${settings.includes("https =") ? "" : `http = "127.0.0.1:${port}"`}
nameserver = "127.0.0.1:${named.port}"
nskeyfile = "${named.keyFile}"
min_interval = 0
${settings.includes("recheck") ? "" : "recheck = 86400"}
${settings}
[clients]
${clients}`,
  );
  return ["-qq", `${folder}/sftdyn.toml`];
}

/** So many lines of clients, a host each. */
export function clientLines(count: number): string {
  return Array.from({ length: count }, (_, i) => `"key${i}" = "h${i}.dyn.example"\n`).join("");
}
