/**
 * The one door to a nameserver: records are asked for, set and probed, all with
 * nsupdate, the only program that sftdyn starts. What it says of a zone is what
 * the key that writes the zone sees, where it is written.
 */

import { local, parseAddress } from "../address.ts";
import type { AddressType, Change } from "../change.ts";
import { DNS_PORT, type Endpoint, endpointText } from "../endpoint.ts";
import { errorMessage } from "../error_message.ts";
import type { Hostname } from "../hostname.ts";
import type { Nameserver } from "../nameserver.ts";
import { type NsupdateProcess, type Reply, type SendOptions, Session } from "./nsupdate_session.ts";
import { noZoneReason, refusalReason } from "./reason.ts";
import { SessionPool } from "./session_pool.ts";

export type { NsupdateProcess };

/**
 * What came of a message.
 * - "yes": it is so now, as the nameserver confirmed, signed. `isUnsure`: what was sent may
 *   yet take effect once more.
 * - "no": asked for, and it is not so.
 * - "refused": the nameserver answered with another rcode, and has changed nothing
 *   (RFC 2136, section 3.7). `isElsewhere`: it has no such zone, or not this name in it.
 * - "unreachable", "late", "failed", "aborted": nobody knows whether it has changed anything.
 */
export type Answer =
  | { readonly kind: "yes"; readonly isUnsure?: true }
  | { readonly kind: "no" }
  | { readonly kind: "refused"; readonly reason: string; readonly isElsewhere: boolean }
  | {
    readonly kind: "unreachable" | "late" | "failed" | "aborted";
    readonly reason: string;
  };

export interface NsupdateOptions {
  nameserver: Nameserver;
  /** Milliseconds to wait for the nameserver. */
  timeout: number;
  /** Sessions at a time. */
  maxSessions?: number;
  /** Milliseconds without work after which a session is ended. */
  idle?: number;
  maxAge?: number;
  spawn?: (args: string[]) => NsupdateProcess;
  connect?: (options: Deno.ConnectOptions) => Promise<Deno.Conn>;
  exists?: (file: string) => Promise<boolean>;
  /** Milliseconds, of a clock that nobody sets. */
  now?: () => number;
}

/** A record, where it does not matter what it is to be. */
export interface RecordName {
  readonly name: Hostname;
  readonly type: AddressType;
}

/** Where the message goes: a zone's name, or undefined: nsupdate finds the zone of the one record. */
export type ZoneName = string | undefined;

export interface FindOptions extends Pick<SendOptions, "onZone" | "signal"> {
  /** Called as soon as it has a session: until then it waits for others, not for the nameserver. */
  onSent?: (() => void) | undefined;
  /** The part of all sessions that it shares with others of its kind; asked while it waits. */
  share?: (() => number) | undefined;
}

/** The session is of no more use after these; a fresh one may do better. */
const TRY_AFRESH: Reply["kind"][] = ["tsig", "badkey", "unsigned-soa", "ended", "garbled"];
/** After these, the other sessions are of no more use either: they have the same old key, or were killed too. */
const MAKES_OLD: Reply["kind"][] = ["tsig", "ended", "garbled"];

/**
 * Milliseconds without an answer on this machine, after which it is asked
 * whether it got lost: of two nsupdate that happen to have chosen the same UDP
 * port, one does not hear the nameserver (once in 20,000 messages, measured).
 */
const LOST = 1000;
const MAX_SESSIONS = 32;
const IDLE = 60_000;
const MAX_AGE = 10 * 60_000;
/** Names are checked already, and may begin with an underscore. */
const PREAMBLE = "check-names off\n";
/** Addresses that no record is ever set to, so that deleting one changes nothing. */
const NEVER_SET = { A: "0.0.0.0", AAAA: "::" };
/** Where named puts its session key (named.conf(5), session-keyfile). */
const SESSION_KEY_FILES = ["/run/named/session.key", "/var/run/named/session.key"];

/** A nameserver, reached with one key. */
export class Nsupdate {
  readonly #options: Required<NsupdateOptions>;
  readonly #pool: SessionPool;
  /** Whether the nameserver is on this machine, and answers over UDP. */
  #isHere = false;
  #isClosed = false;

  constructor(options: NsupdateOptions) {
    this.#options = {
      maxSessions: MAX_SESSIONS,
      idle: IDLE,
      maxAge: MAX_AGE,
      spawn: spawnNsupdate,
      connect: Deno.connect,
      exists: (file) => Deno.stat(file).then(() => true, () => false),
      now: () => performance.now(),
      ...options,
    };
    const { maxSessions: max, idle, maxAge, now } = this.#options;
    this.#pool = new SessionPool({ start: () => this.#startSession(), max, idle, maxAge, now });
  }

  /**
   * Whether all of these records are so now: the RRset is the one address, or
   * there is none (RFC 2136, sections 2.4.2 and 2.4.3). Changes nothing. Without
   * a zone only one record can be asked for. Never throws.
   */
  async ask(
    zone: ZoneName,
    records: readonly Change[],
    options: FindOptions = {},
  ): Promise<Answer> {
    return await this.#firstAnswer((own) => this.#ask(zone, records, own), options);
  }

  /**
   * Makes all of these records so, or none, in one UPDATE; refused if one of
   * them is an alias. Without a zone it can be one only. Never throws.
   */
  async set(
    zone: ZoneName,
    changes: readonly Change[],
    { onZone, onSent, share }: FindOptions = {},
  ): Promise<Answer> {
    let found = zone;
    const foundZone = once(onZone);
    const sent = Promise.withResolvers<void>();
    const send = ({ signal }: AbortController) =>
      this.#set(zone, changes, {
        signal,
        share,
        onSent: () => (sent.resolve(), onSent?.()),
        onZone: (name) => {
          found = name;
          foundZone(name);
        },
      });
    const first = new AbortController();
    const answer = send(first);
    if (!await this.#isLost(answer, sent.promise)) return await answer;
    if (found === undefined) {
      // The question for the zone got lost: as far as can be known, nothing was sent yet.
      first.abort();
      const again = await send(new AbortController());
      return again.kind === "yes" ? { kind: "yes", isUnsure: true } : again;
    }
    const asking = new AbortController();
    const isSo = this.#ask(found, changes, { signal: asking.signal }).then((
      { kind },
    ): Answer | Promise<Answer> => kind === "yes" ? { kind, isUnsure: true } : answer);
    try {
      return await Promise.race([answer, isSo]);
    } finally {
      first.abort();
      asking.abort();
    }
  }

  /**
   * Whether all of these records could be set: the key may change them, and none
   * of their names is an alias. Changes nothing. Without a zone they must be of
   * one name. Never throws.
   */
  async probe(
    zone: ZoneName,
    records: readonly RecordName[],
    options?: FindOptions,
  ): Promise<Answer> {
    return await this.#firstAnswer(
      (options) => this.#probe(zone, records, options),
      options ?? {},
    );
  }

  /** How many there are now. */
  get sessions(): number {
    return this.#pool.size;
  }

  /** Has each session end when it has no more work. */
  retire(): void {
    this.#isClosed = true;
    this.#pool.retire();
  }

  /** Ends all sessions, whatever is under way. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#pool.close();
  }

  /** Sends what changes nothing, and once more if it may have got lost: whichever is answered. */
  async #firstAnswer(
    run: (options: FindOptions) => Promise<Answer>,
    { onZone, signal, onSent, share }: FindOptions,
  ): Promise<Answer> {
    const first = new AbortController();
    const second = new AbortController();
    const abort = () => (first.abort(), second.abort());
    const sent = Promise.withResolvers<void>();
    signal?.addEventListener("abort", abort);
    if (signal?.aborted) abort();
    const foundZone = once(onZone);
    const send = ({ signal }: AbortController) =>
      run({ onZone: foundZone, signal, share, onSent: () => (sent.resolve(), onSent?.()) });
    const answer = send(first);
    try {
      if (!await this.#isLost(answer, sent.promise) || signal?.aborted) return await answer;
      const again = send(second).then((again) => isAnswer(again) ? again : answer);
      return await Promise.race([answer, again]);
    } finally {
      signal?.removeEventListener("abort", abort);
      abort();
    }
  }

  async #probe(
    zone: ZoneName,
    records: readonly RecordName[],
    options: FindOptions,
  ): Promise<Answer> {
    const names = new Set(records.map(({ name }) => name));
    const lines = [...[...names].map(notAliasLine), ...records.map(probeLine)];
    const answer = await this.#exchange(zone, records, lines, options);
    return answer.kind === "rcode" ? outcome(answer) : answer;
  }

  async #ask(
    zone: ZoneName,
    records: readonly Change[],
    options: FindOptions,
  ): Promise<Answer> {
    const answer = await this.#exchange(zone, records, records.map(askLine), options);
    if (answer.kind !== "rcode") return answer;
    if (answer.rcode === "NXRRSET" || answer.rcode === "YXRRSET") return { kind: "no" };
    return outcome(answer);
  }

  async #set(
    zone: ZoneName,
    changes: readonly Change[],
    options: FindOptions,
  ): Promise<Answer> {
    const answer = await this.#exchange(zone, changes, changes.map(setLines), options);
    return answer.kind === "rcode" ? outcome(answer) : answer;
  }

  /** Whether the answer is not there in time, and may have got lost. */
  async #isLost(answer: Promise<Answer>, sent: Promise<void>): Promise<boolean> {
    await Promise.race([answer, sent]);
    const late = Promise.withResolvers<boolean>();
    const timer = setTimeout(() => late.resolve(this.#isHere), LOST);
    try {
      return await Promise.race([answer.then(() => false), late.promise]);
    } finally {
      clearTimeout(timer);
    }
  }

  async #exchange(
    zone: ZoneName,
    records: readonly RecordName[],
    lines: string[],
    { onZone, signal, onSent, share }: FindOptions = {},
  ): Promise<Answer | Reply & { kind: "rcode" }> {
    const script = `${zone === undefined ? "" : `zone ${zone}.\n`}${lines.join("")}send\n`;
    const found = (name: string) => {
      const zone = zoneOf(records[0]!.name, name);
      if (zone !== undefined) onZone?.(zone);
    };
    const options = { timeout: this.#options.timeout, onZone: found, signal };
    const use = zone === undefined ? "finding" : "in a zone";
    const attempt = (isFirst: boolean) =>
      this.#pool.with(use, async (session, renew): Promise<Reply> => {
        if (signal?.aborted) return { kind: "aborted", reason: "not waited for" };
        onSent?.();
        const reply = await session.send(script, options);
        if (reply.kind !== "rcode") session.kill();
        if (isFirst && MAKES_OLD.includes(reply.kind)) renew();
        return reply;
      }, share);
    try {
      let reply = await attempt(true);
      if (TRY_AFRESH.includes(reply.kind) && !this.#isClosed) reply = await attempt(false);
      switch (reply.kind) {
        case "rcode":
          return reply;
        case "refused-soa": {
          const parent = await this.#zoneOfParent(records[0]!, reply.reason, signal);
          if (parent !== undefined) {
            found(parent);
            return await this.#exchange(parent, records, lines, { signal });
          }
          return { kind: "refused", reason: noZoneReason(reply.reason), isElsewhere: true };
        }
        case "unsigned-soa":
          return { kind: "refused", reason: reply.reason, isElsewhere: true };
        case "badkey":
          return { kind: "refused", reason: reply.reason, isElsewhere: false };
        case "unreachable":
        case "late":
        case "aborted":
          return { kind: reply.kind, reason: reply.reason };
        default:
          return { kind: "failed", reason: reply.reason };
      }
    } catch (error) {
      if (error instanceof UnreachableError) return { kind: "unreachable", reason: error.message };
      return { kind: "failed", reason: startProblem(error) };
    }
  }

  /**
   * The zone of the domain that a name is in. Where a wildcard alias covers the
   * name and what it stands for, the question for the name's own zone is a
   * circle to BIND, and SERVFAIL; the name is then none of a zone's apex.
   */
  async #zoneOfParent(
    { name }: RecordName,
    rcode: string,
    signal: AbortSignal | undefined,
  ): Promise<string | undefined> {
    const parent = parentOf(name);
    if (rcode === "REFUSED" || !parent.includes(".")) return undefined;
    let zone: string | undefined;
    const onZone = (found: string) => zone = zoneOf(name, found);
    const script = `prereq yxdomain ${parent}.\nsend\n`;
    const { timeout } = this.#options;
    await this.#pool.with("finding", async (session) => {
      const reply = await session.send(script, { timeout, onZone, signal });
      if (reply.kind !== "rcode") session.kill();
    });
    return zone;
  }

  async #startSession(): Promise<Session> {
    const { nameserver: { endpoint, keyFile }, spawn } = this.#options;
    const address = await this.#reach(endpoint);
    const port = endpoint?.port ?? DNS_PORT;
    const args = ["-d", ...transport(address, this.#options.timeout)];
    this.#isHere = isLoopback(address);
    const isLocalhost = address === "127.0.0.1" || address === "::1";
    if (keyFile === undefined && isLocalhost) {
      // With both families it would send the second address a message that is not signed.
      const family = address === "::1" ? "-6" : "-4";
      return new Session(spawn([...args, "-l", "-p", `${port}`, family]), PREAMBLE);
    }
    const key = keyFile ?? (this.#isHere ? await this.#sessionKey() : undefined);
    if (key !== undefined) args.push("-k", key);
    return new Session(spawn(args), `${PREAMBLE}server ${address} ${port}\n`);
  }

  /** `nsupdate -l` knows where it is, and takes 127.0.0.1 and ::1 only. */
  async #sessionKey(): Promise<string> {
    for (const file of SESSION_KEY_FILES) if (await this.#options.exists(file)) return file;
    return SESSION_KEY_FILES[0]!;
  }

  /**
   * The one address that nsupdate is given: of several, BIND 9.18's sends the
   * second a broken message.
   */
  async #reach(endpoint: Endpoint | undefined): Promise<string> {
    if (endpoint === undefined) {
      for (const hostname of ["127.0.0.1", "::1"]) {
        try {
          return await this.#connect(hostname, DNS_PORT);
        } catch {
          // Not there; nsupdate says why.
        }
      }
      return "127.0.0.1";
    }
    const hostname = endpoint.hostname!;
    if (parseAddress(hostname) !== undefined) return hostname;
    try {
      return await this.#connect(hostname, endpoint.port);
    } catch (error) {
      throw new UnreachableError(
        `${endpointText(endpoint)} cannot be reached: ${errorMessage(error)}`,
      );
    }
  }

  /** The address that a connection reaches. */
  async #connect(hostname: string, port: number): Promise<string> {
    const { connect, timeout } = this.#options;
    const late = Promise.withResolvers<never>();
    const timer = setTimeout(
      () => late.reject(new Error(`no connection in ${timeout / 1000} s`)),
      timeout,
    );
    const connecting = connect({ hostname, port });
    connecting.then((conn) => conn.close(), () => {});
    try {
      const conn = await Promise.race([connecting, late.promise]);
      return (conn.remoteAddr as Deno.NetAddr).hostname;
    } finally {
      clearTimeout(timer);
    }
  }
}

/** The domain that a name is in. */
export function parentOf(name: Hostname): string {
  return name.slice(name.indexOf(".") + 1);
}

/** Calls the function the first time only. */
function once(run: (zone: string) => void = () => {}): (zone: string) => void {
  let wasRun = false;
  return (zone) => {
    if (!wasRun) run(zone);
    wasRun = true;
  };
}

/** Whether the nameserver itself has said something. */
export function isAnswer({ kind }: Answer): boolean {
  return kind === "yes" || kind === "no" || kind === "refused";
}

class UnreachableError extends Error {
  override name = "UnreachableError";
}

/** The version that nsupdate tells of itself, as "9.18.49"; throws if it cannot be run. */
export async function nsupdateVersion(): Promise<string> {
  try {
    // It prints on stdout or stderr, according to its version.
    const { stdout, stderr } = await new Deno.Command("nsupdate", {
      args: ["-V"],
      stdin: "null",
      clearEnv: true,
      cwd: "/",
    }).output();
    const said = new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
    return /\d+\.\d+[.\w-]*/.exec(said)?.[0] ?? "of unknown version";
  } catch (error) {
    throw new Error(startProblem(error));
  }
}

function outcome({ rcode, isSigned }: Reply & { kind: "rcode" }): Answer {
  if (rcode === "NOERROR") return { kind: "yes" };
  const isElsewhere = isSigned && (rcode === "NOTAUTH" || rcode === "NOTZONE");
  return { kind: "refused", reason: refusalReason(rcode, isSigned), isElsewhere };
}

/** The zone that nsupdate has found, lower case, without the final dot: the name is in it. */
function zoneOf(name: Hostname, found: string): string | undefined {
  const zone = found.toLowerCase().replace(/\.$/, "");
  return zone === "" || name === zone || name.endsWith(`.${zone}`) ? zone : undefined;
}

/**
 * How nsupdate is to reach the nameserver (nsupdate(1)). A message that it
 * repeats, as it does over UDP, may be handled late and undo a newer one: on
 * this machine none is lost, and it need not repeat; elsewhere it uses TCP.
 */
function transport(address: string, timeout: number): string[] {
  return isLoopback(address) ? ["-r", "0", "-u", `${Math.ceil(timeout / 1000)}`] : ["-v"];
}

function isLoopback(address: string): boolean {
  const parsed = parseAddress(address);
  return parsed !== undefined && local(parsed) === "loopback";
}

// Names are absolute, so that nsupdate adds nothing to them.

function askLine({ name, type, address }: Change): string {
  return address === undefined
    ? `prereq nxrrset ${name}. ${type}\n`
    : `prereq yxrrset ${name}. ${type} ${address.text}\n`;
}

/** BIND adds no address beside a CNAME, and says NOERROR (RFC 2136, section 3.4.2.2). */
function notAliasLine(name: Hostname): string {
  return `prereq nxrrset ${name}. CNAME\n`;
}

function setLines({ name, type, ttl, address, commands }: Change): string {
  if (commands !== undefined) return `${notAliasLine(name)}${commands.join("\n")}\n`;
  const deletion = `update delete ${name}. ${type}\n`;
  if (address === undefined) return deletion;
  return `${notAliasLine(name)}${deletion}` +
    `update add ${name}. ${ttl} ${type} ${address.text}\n`;
}

function probeLine({ name, type }: RecordName): string {
  return `update delete ${name}. ${type} ${NEVER_SET[type]}\n`;
}

function spawnNsupdate(args: string[]): NsupdateProcess {
  return new Deno.Command("nsupdate", {
    args,
    // Nothing of ours means anything to it, and Deno refuses to hand on LD_*.
    clearEnv: true,
    // Its user need not be allowed to enter the folder that sftdyn was started in.
    cwd: "/",
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
  return `nsupdate cannot be started: ${errorMessage(error)}`;
}
