/** nsupdate: changes in, outcome out. The only program that sftdyn starts. */

import type { AddressType } from "./dns.ts";
import type { Endpoint } from "./endpoint.ts";
import type { Hostname } from "./hostname.ts";

/** One record as it is to be: the RRset of this name and type is this address alone. */
export interface Change {
  readonly name: Hostname;
  readonly type: AddressType;
  /** Seconds. */
  readonly ttl: number;
  /** Canonical text. */
  readonly address: string;
}

/** `reason` says why the change was not made, for the log. */
export type Outcome = { readonly ok: true } | { readonly ok: false; readonly reason: string };

/** Makes changes at the nameserver. */
export interface Nsupdate {
  send(change: Change): Promise<Outcome>;
}

export interface NsupdateOptions {
  /** undefined is the local one, `nsupdate -l`. */
  nameserver?: Endpoint | undefined;
  keyFile?: string | undefined;
  /** Seconds. */
  timeout: number;
}

const MAX_REASON = 500;

/** Starts one nsupdate for each change. */
export function createNsupdate({ nameserver, keyFile, timeout }: NsupdateOptions): Nsupdate {
  const args = [
    ...(nameserver === undefined ? ["-l"] : []),
    ...(keyFile === undefined ? [] : ["-k", keyFile]),
  ];
  const server = nameserver === undefined
    ? ""
    : `server ${nameserver.hostname} ${nameserver.port}\n`;
  return { send: (change) => run(args, server + script(change), timeout) };
}

/** The version that nsupdate tells of itself, as "9.18.49"; throws if it cannot be run. */
export async function nsupdateVersion(): Promise<string> {
  try {
    // It prints on stdout or stderr, according to its version.
    const { stdout, stderr } = await new Deno.Command("nsupdate", {
      args: ["-V"],
      stdin: "null",
      clearEnv: true,
    }).output();
    const said = new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
    return /\d+\.\d+[.\w-]*/.exec(said)?.[0] ?? "of unknown version";
  } catch (error) {
    throw new Error(startProblem(error));
  }
}

/** Names are absolute, so that nsupdate adds nothing to them. */
function script({ name, type, ttl, address }: Change): string {
  return `update delete ${name}. ${type}\nupdate add ${name}. ${ttl} ${type} ${address}\nsend\n`;
}

async function run(args: string[], script: string, timeout: number): Promise<Outcome> {
  let process;
  try {
    process = new Deno.Command("nsupdate", {
      args,
      // Nothing of ours means anything to it, and Deno refuses to hand on LD_*.
      clearEnv: true,
      stdin: "piped",
      stdout: "null",
      stderr: "piped",
    }).spawn();
  } catch (error) {
    return { ok: false, reason: startProblem(error) };
  }
  let isLate = false;
  const timer = setTimeout(() => {
    isLate = true;
    process.kill("SIGKILL");
  }, timeout * 1000);
  const [status, stderr] = await Promise.all([
    process.status,
    new Response(process.stderr).text(),
    write(process.stdin, script),
  ]);
  clearTimeout(timer);
  if (isLate) return { ok: false, reason: `no answer in ${timeout} s` };
  if (status.success) return { ok: true };
  const said = stderr.trim().split("\n").join("; ").slice(0, MAX_REASON);
  return { ok: false, reason: `nsupdate: ${said || `exit status ${status.code}`}` };
}

async function write(stdin: WritableStream<Uint8Array>, text: string): Promise<void> {
  const writer = stdin.getWriter();
  try {
    await writer.write(new TextEncoder().encode(text));
    await writer.close();
  } catch {
    // It ended before it read all: its status and stderr say why.
  }
}

function startProblem(error: unknown): string {
  if (error instanceof Deno.errors.NotFound) {
    return "nsupdate is not installed (Debian: bind9-dnsutils, Fedora: bind-utils, Arch: bind)";
  }
  if (error instanceof Deno.errors.NotCapable) {
    // Deno looks for the programs that it may run once, when it starts.
    return "nsupdate was not installed when sftdyn started: install it (Debian: bind9-dnsutils, " +
      "Fedora: bind-utils, Arch: bind), then restart sftdyn";
  }
  return `nsupdate cannot be started: ${error instanceof Error ? error.message : error}`;
}
