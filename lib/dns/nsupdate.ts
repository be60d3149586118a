/**
 * nsupdate: changes in, outcome out. One long-lived `nsupdate -d` is fed through
 * stdin and tells each reply on stderr; it is the only program that sftdyn starts.
 */

import { local, parseAddress } from "../address.ts";
import type { AddressType } from "./dns.ts";
import type { Endpoint } from "../endpoint.ts";
import type { Hostname } from "../hostname.ts";
import { type NsupdateProcess, type Reply, Session } from "./nsupdate_session.ts";

/** One record as it is to be: the RRset of this name and type is this address alone. */
export interface Change {
  readonly name: Hostname;
  readonly type: AddressType;
  /** Seconds. */
  readonly ttl: number;
  /** Canonical text. */
  readonly address: string;
}

/**
 * What became of an UPDATE. "done": the nameserver confirmed it. "refused": it
 * answered with another rcode, and changed nothing (RFC 2136, section 3.7).
 * "failed": nobody knows whether it has changed anything.
 */
export type Outcome =
  | { readonly kind: "done" }
  | { readonly kind: "refused" | "failed"; readonly reason: string };

/** Makes changes at the nameserver. */
export interface Nsupdate {
  /** Makes all the changes of one zone in one UPDATE. One call at a time; never throws. */
  send(zone: string, changes: readonly Change[]): Promise<Outcome>;
  close(): Promise<void>;
}

export interface NsupdateOptions {
  /** undefined is the local one, `nsupdate -l`. */
  nameserver?: Endpoint | undefined;
  keyFile?: string | undefined;
  /**
   * The address at which the nameserver was reached last, if any. nsupdate gets
   * this one alone: of several, BIND 9.18's sends the second a broken message.
   */
  reachedAt?: () => string | undefined;
  /** Seconds to wait for the nameserver. */
  timeout: number;
  /** Seconds without work after which nsupdate is ended. */
  idle?: number;
  spawn?: (args: string[]) => NsupdateProcess;
}

export type { NsupdateProcess };

/** The session is of no more use after these; a fresh one may do better. */
const TRY_AFRESH: Reply["kind"][] = ["tsig", "ended", "garbled"];

const IDLE = 60;

/** Keeps one nsupdate going while there is work. */
export function createNsupdate(
  { nameserver, keyFile, reachedAt, timeout, idle = IDLE, spawn = spawnNsupdate }: NsupdateOptions,
): Nsupdate {
  let session: Session | undefined;
  let isClosed = false;
  let idleTimer: ReturnType<typeof setTimeout> | undefined;

  function startSession(): Session {
    const key = keyFile === undefined ? [] : ["-k", keyFile];
    const address = reachedAt?.() ?? nameserver?.hostname ?? "127.0.0.1";
    const args = ["-d", ...key, ...transport(address, timeout)];
    if (nameserver === undefined) {
      return new Session(spawn([...args, "-l", address === "::1" ? "-6" : "-4"]), "");
    }
    return new Session(spawn(args), `server ${address} ${nameserver.port}\n`);
  }

  async function trySend(script: string): Promise<Reply> {
    if (session === undefined || session.hasEnded) {
      session?.kill();
      session = startSession();
    }
    const reply = await session.send(script, timeout);
    if (reply.kind !== "rcode") session.kill();
    return reply;
  }

  return {
    async send(zone, changes): Promise<Outcome> {
      clearTimeout(idleTimer);
      const script = `zone ${zone}.\n${changes.map(lines).join("")}send\n`;
      try {
        let reply = await trySend(script);
        if (TRY_AFRESH.includes(reply.kind) && !isClosed) reply = await trySend(script);
        if (reply.kind !== "rcode") return { kind: "failed", reason: reply.reason };
        if (reply.rcode === "NOERROR") return { kind: "done" };
        return { kind: "refused", reason: `the nameserver says ${reply.rcode}` };
      } catch (error) {
        return { kind: "failed", reason: startProblem(error) };
      } finally {
        idleTimer = setTimeout(() => void session?.end(), idle * 1000);
        Deno.unrefTimer(idleTimer);
      }
    },
    async close(): Promise<void> {
      isClosed = true;
      clearTimeout(idleTimer);
      await session?.end();
    },
  };
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

/**
 * How nsupdate is to reach the nameserver (nsupdate(1)). A message that it
 * repeats, as it does over UDP, may be taken up late and undo a newer one: on
 * this machine none is lost, and it need not repeat; elsewhere it takes TCP.
 */
function transport(address: string, timeout: number): string[] {
  const parsed = parseAddress(address);
  const isHere = parsed !== undefined && local(parsed) === "loopback";
  return isHere ? ["-r", "0", "-u", `${Math.ceil(timeout)}`] : ["-v"];
}

/** Names are absolute, so that nsupdate adds nothing to them. */
function lines({ name, type, ttl, address }: Change): string {
  return `update delete ${name}. ${type}\nupdate add ${name}. ${ttl} ${type} ${address}\n`;
}

function spawnNsupdate(args: string[]): NsupdateProcess {
  return new Deno.Command("nsupdate", {
    args,
    // Nothing of ours means anything to it, and Deno refuses to hand on LD_*.
    clearEnv: true,
    stdin: "piped",
    stdout: "null",
    stderr: "piped",
  }).spawn();
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
