/**
 * nsupdate: changes in, outcome out. One long-lived `nsupdate -d` is fed through
 * stdin and tells each reply on stderr; it is the only program that sftdyn starts.
 */

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

/** What is used of Deno.ChildProcess. */
export type NsupdateProcess = Pick<Deno.ChildProcess, "stdin" | "stderr" | "status" | "kill">;

/** What one session says of one UPDATE. */
type Reply =
  | { kind: "rcode"; rcode: string }
  | { kind: "unreachable" | "tsig" | "ended" | "garbled" | "late"; reason: string };

/** The session is of no more use after these; a fresh one may do better. */
const TRY_AFRESH: Reply["kind"][] = ["tsig", "ended", "garbled"];

/** Milliseconds after which the reason of a TSIG error, which comes last, is not waited for. */
const SETTLE = 100;
/** What -d says besides, and the rest of replies. */
const DEBUG = /^(Creating key|namefromtext|keycreate|Reply from|;|$)|\t/;
/** Lines that are kept of what nsupdate says before it ends. */
const MAX_WORDS = 4;
const IDLE = 60;
const MAX_LINE = 65_536;
const MAX_REASON = 300;

/** Keeps one nsupdate going while there is work. */
export function createNsupdate(
  { nameserver, keyFile, reachedAt, timeout, idle = IDLE, spawn = spawnNsupdate }: NsupdateOptions,
): Nsupdate {
  let session: Session | undefined;
  let isClosed = false;
  let idleTimer: ReturnType<typeof setTimeout> | undefined;

  function startSession(): Session {
    // TCP: over UDP nsupdate repeats a message, and the nameserver could take up the repetition late.
    const always = ["-d", "-v", ...(keyFile === undefined ? [] : ["-k", keyFile])];
    const address = reachedAt?.();
    if (nameserver === undefined) {
      return new Session(spawn([...always, "-l", address === "::1" ? "-6" : "-4"]), "");
    }
    const server = `server ${address ?? nameserver.hostname} ${nameserver.port}\n`;
    return new Session(spawn(always), server);
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

/** One process of nsupdate, and what it says. */
class Session {
  readonly #process: NsupdateProcess;
  readonly #stdin: WritableStreamDefaultWriter<Uint8Array>;
  readonly #ended: Promise<void>;
  #hasEnded = false;
  /** What is to be written before the first UPDATE. */
  #preamble: string;
  /** The UPDATE that is under way. */
  #reply: PromiseWithResolvers<Reply> | undefined;
  #isSending = false;
  #rcode: string | undefined;
  /** A TSIG error that was told, and its reason not yet. */
  #trouble: Reply | undefined;
  #settleTimer: ReturnType<typeof setTimeout> | undefined;
  /** Why it ended, if it did. */
  readonly #lastWords: string[] = [];

  constructor(process: NsupdateProcess, preamble: string) {
    this.#process = process;
    this.#stdin = process.stdin.getWriter();
    this.#stdin.closed.catch(() => {});
    this.#preamble = preamble;
    this.#ended = this.#listen();
  }

  get hasEnded(): boolean {
    return this.#hasEnded;
  }

  async send(script: string, timeout: number): Promise<Reply> {
    const reply = Promise.withResolvers<Reply>();
    this.#reply = reply;
    this.#isSending = false;
    this.#trouble = undefined;
    this.#lastWords.length = 0;
    const timer = setTimeout(
      () => this.#settle({ kind: "late", reason: `no answer in ${timeout} s` }),
      timeout * 1000,
    );
    const text = this.#preamble + script;
    this.#preamble = "";
    // If it does not take all of it, it has ended, or the time will be up.
    this.#stdin.write(new TextEncoder().encode(text)).catch(() => {});
    try {
      return await reply.promise;
    } finally {
      clearTimeout(timer);
    }
  }

  /** Lets it end by itself: its input ends. */
  async end(): Promise<void> {
    this.#hasEnded = true;
    await this.#stdin.close().catch(() => {});
    const timer = setTimeout(() => this.kill(), 1000);
    await this.#ended;
    clearTimeout(timer);
  }

  kill(): void {
    this.#hasEnded = true;
    try {
      this.#process.kill("SIGKILL");
    } catch {
      // It has ended already.
    }
  }

  async #listen(): Promise<void> {
    const decoder = new TextDecoder();
    let rest = "";
    try {
      for await (const bytes of this.#process.stderr) {
        const lines = (rest + decoder.decode(bytes, { stream: true })).split("\n");
        rest = lines.pop()!.slice(0, MAX_LINE);
        for (const line of lines) this.#hear(line);
      }
    } catch {
      // Its end is told below.
    }
    const { code, signal } = await this.#process.status;
    this.#hasEnded = true;
    this.#stdin.close().catch(() => {});
    clearTimeout(this.#settleTimer);
    const status = signal === null ? `exit status ${code}` : signal;
    if (rest !== "") this.#hear(rest);
    const words = this.#lastWords.join("; ").slice(0, MAX_REASON);
    this.#settle(
      this.#trouble ?? { kind: "ended", reason: `nsupdate ended: ${words || status}` },
    );
  }

  /** Reads only what BIND 9.16, 9.18 and 9.20 have in common. */
  #hear(line: string): void {
    let match;
    if (line.startsWith("Sending update to ")) {
      this.#isSending = true;
    } else if ((match = /^; Communication with (.+) failed: (.+)$/.exec(line))) {
      const reason = `${match[1]!.replace("#", ":")} cannot be reached: ${match[2]}`;
      this.#settle({ kind: "unreachable", reason });
    } else if ((match = /^; TSIG error with server: (.+)$/.exec(line))) {
      this.#trouble = { kind: "tsig", reason: `TSIG: ${match[1]}` };
    } else if (line.includes("->>HEADER<<-")) {
      this.#hearHeader(/opcode: UPDATE, status: (\w+), id:/.exec(line)?.[1]);
    } else if (this.#trouble !== undefined && (match = /\bTSIG\b.*\b(BAD[A-Z]+)\b/.exec(line))) {
      this.#settle({ kind: "tsig", reason: `the nameserver says ${tsigReason(match[1]!)}` });
    } else if ((match = /^could not (?:read|create) key.*:([^:]*)$/.exec(line))) {
      // It would go on without one. What stands between may be the secret.
      this.#settle({ kind: "ended", reason: `nsupdate could not read the key file:${match[1]}` });
    } else if (!this.#isSending && !DEBUG.test(line)) {
      if (this.#lastWords.length < MAX_WORDS) this.#lastWords.push(line);
    }
  }

  #hearHeader(rcode: string | undefined): void {
    if (rcode === undefined || !this.#isSending) {
      this.#settle({ kind: "garbled", reason: "nsupdate's output is not understood" });
    } // What follows tells which error of TSIG it is.
    else if (this.#trouble !== undefined) {
      const reply = this.#trouble;
      this.#settleTimer = setTimeout(() => this.#settle(reply), SETTLE);
    } else this.#settle({ kind: "rcode", rcode });
  }

  #settle(reply: Reply): void {
    clearTimeout(this.#settleTimer);
    // A reply that nobody waits for: what comes next cannot be told apart.
    if (this.#reply === undefined) this.#hasEnded = true;
    this.#reply?.resolve(reply);
    this.#reply = undefined;
    this.#isSending = false;
  }
}

/** What a TSIG error means (RFC 8945, section 5.2). */
function tsigReason(error: string): string {
  if (error === "BADTIME") return "BADTIME: its clock and this machine's differ by minutes";
  if (error === "BADKEY") return "BADKEY: it does not know the TSIG key";
  if (error === "BADSIG") return "BADSIG: the TSIG key's secret is not the one that it knows";
  return error;
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
