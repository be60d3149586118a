/**
 * One running `nsupdate -d`: messages are written to its stdin, and what became
 * of each is read from its stderr. Knows what it prints, not what to make of it.
 */

import { refusalReason, UNSIGNED_ZONE_REASON } from "./reason.ts";

/** What is used of Deno.ChildProcess. */
export type NsupdateProcess = Pick<Deno.ChildProcess, "stdin" | "stderr" | "status" | "kill">;

/**
 * What one session says of one message. "rcode": the nameserver answered, signed
 * or not. "refused-soa", "unsigned-soa": it answered the question for the zone
 * with another rcode, or unsigned. "badkey": it refused the key, unsigned. "key":
 * nsupdate cannot use the key. "aborted": nobody waits for the answer any more.
 * The rest: there is no answer to go by.
 */
export type Reply =
  | { readonly kind: "rcode"; readonly rcode: string; readonly isSigned: boolean }
  | {
    readonly kind:
      | "refused-soa"
      | "unsigned-soa"
      | "unreachable"
      | "tsig"
      | "badkey"
      | "key"
      | "ended"
      | "garbled"
      | "late"
      | "aborted";
    readonly reason: string;
  };

export interface SendOptions {
  /** Milliseconds. */
  timeout: number;
  /** Called with the zone's name when nsupdate has found it: only for a message without a zone line. */
  onZone?: ((zone: string) => void) | undefined;
  /** Ends the session where the answer is not needed any more. */
  signal?: AbortSignal | undefined;
}

/** Milliseconds after which the reason of a TSIG error, which comes last, is not waited for. */
const SETTLE = 100;
/** Milliseconds for what was printed already to be read. */
const UNREAD = 50;
/** What -d says besides, and the rest of replies. */
const DEBUG =
  /^(Creating key|namefromtext|keycreate|Reply from|Found zone|The (primary|master) is|Sending update|;|$)|\t/;
/** Lines that are kept of what nsupdate says before it ends. */
const MAX_WORDS = 4;
const MAX_LINE = 65_536;
const MAX_REASON = 300;

const encoder = new TextEncoder();

export class Session {
  readonly #process: NsupdateProcess;
  readonly #stdin: WritableStreamDefaultWriter<Uint8Array>;
  readonly #ended: Promise<void>;
  #hasEnded = false;
  /** What is to be written before the first message. */
  #preamble: string;
  /** The message under way. */
  #reply: PromiseWithResolvers<Reply> | undefined;
  #onZone: ((zone: string) => void) | undefined;
  #isSending = false;
  /** Milliseconds that are waited for its answer. */
  #timeout = 0;
  /** What the nameserver answered to the question for the zone. */
  #soaRcode = "";
  /** A TSIG error that was told, and its reason not yet. */
  #trouble: { reason: string; isUnsigned: boolean } | undefined;
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

  /** Sends one message. One at a time. */
  async send(script: string, { timeout, onZone, signal }: SendOptions): Promise<Reply> {
    if (signal?.aborted) return { kind: "aborted", reason: "not waited for" };
    // Since it was taken: nothing would tell of it any more.
    if (this.#hasEnded) return { kind: "ended", reason: "nsupdate ended" };
    const reply = Promise.withResolvers<Reply>();
    this.#reply = reply;
    this.#onZone = onZone;
    this.#isSending = false;
    this.#timeout = timeout;
    this.#trouble = undefined;
    this.#lastWords.length = 0;
    let timer = setTimeout(() => {
      // Where this process was busy, the answer may be there and not read yet.
      timer = setTimeout(() => this.#settleLate(), UNREAD);
    }, timeout - UNREAD);
    const abort = () => this.#settle({ kind: "aborted", reason: "not waited for" });
    signal?.addEventListener("abort", abort);
    const text = this.#preamble + script;
    this.#preamble = "";
    // If it does not take all of it, it has ended, or the time will be up.
    this.#stdin.write(encoder.encode(text)).catch(() => {});
    try {
      return await reply.promise;
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener("abort", abort);
      this.#onZone = undefined;
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
      this.#trouble === undefined
        ? { kind: "ended", reason: `nsupdate ended: ${words || status}` }
        : { kind: "tsig", reason: this.#trouble.reason },
    );
  }

  /** Reads only what BIND 9.16, 9.18 and 9.20 have in common. */
  #hear(line: string): void {
    let match;
    if (line.startsWith("Sending update to ")) {
      this.#isSending = true;
    } else if ((match = /^Found zone name: (\S+)$/.exec(line))) {
      this.#onZone?.(match[1]!);
    } else if ((match = /^; Communication with (.+) failed: (.+)$/.exec(line))) {
      this.#hearFailure(match[1]!.replace("#", ":"), match[2]!);
    } else if ((match = /^; TSIG error with server: (.+)$/.exec(line))) {
      const isUnsigned = /^expected a TSIG/i.test(match[1]!);
      this.#trouble = { reason: `TSIG: ${match[1]}`, isUnsigned };
    } else if (line.includes("->>HEADER<<-")) {
      this.#hearHeader(/opcode: (\w+), status: (\w+), id:/.exec(line));
    } else if (this.#trouble !== undefined && (match = /\bTSIG\b.*\b(BAD[A-Z]+)\b/.exec(line))) {
      const kind = match[1] === "BADKEY" ? "badkey" : "tsig";
      this.#settle({ kind, reason: tsigReason(match[1]!) });
    } else if ((match = /^could not (?:read|create) key.*:([^:]*)$/.exec(line))) {
      // It would go on without one. What stands between may be the secret.
      this.#settle({ kind: "key", reason: `nsupdate cannot use the key file:${match[1]}` });
    } else if ((match = /^can't read key from (\S+): (.+)$/.exec(line))) {
      this.#settle({ kind: "key", reason: sessionKeyReason(match[1]!, match[2]!) });
    } else if (line.startsWith("dns_request_getresponse: clocks are unsynchronized")) {
      this.#settle({ kind: "tsig", reason: tsigReason("BADTIME") });
    } else if (line.startsWith("could not find enclosing zone")) {
      this.#settle({ kind: "refused-soa", reason: "REFUSED" });
    } else if (line.startsWith("response to SOA query was unsuccessful")) {
      this.#settle({ kind: "refused-soa", reason: this.#soaRcode });
    } else if (line.startsWith("dns_request_getresponse: expected a TSIG")) {
      this.#settle({ kind: "unsigned-soa", reason: UNSIGNED_ZONE_REASON });
    } else if (!DEBUG.test(line) && this.#lastWords.length < MAX_WORDS) this.#lastWords.push(line);
  }

  #hearFailure(where: string, problem: string): void {
    // Before the update it is the question for the zone that was answered so.
    if (!this.#isSending && /^[A-Z]+$/.test(problem)) {
      this.#settle({ kind: "refused-soa", reason: problem });
    } else if (problem === "timed out") {
      // Its own patience is as long as ours, and this is not known to be true of other zones.
      this.#settleLate();
    } else this.#settle({ kind: "unreachable", reason: `${where} cannot be reached: ${problem}` });
  }

  #hearHeader(match: RegExpExecArray | null): void {
    const [, opcode, rcode] = match ?? [];
    // The answer to the question for the zone: "Found zone name" follows, or its last words.
    if (opcode === "QUERY" && !this.#isSending) {
      this.#trouble = undefined;
      this.#soaRcode = rcode!;
      return;
    }
    if (opcode !== "UPDATE" || !this.#isSending) {
      this.#settle({ kind: "garbled", reason: "nsupdate's output is not understood" });
    } else if (this.#trouble === undefined) {
      this.#settle({ kind: "rcode", rcode: rcode!, isSigned: true });
    } else if (this.#trouble.isUnsigned && rcode !== "NOERROR") {
      this.#settle({ kind: "rcode", rcode: rcode!, isSigned: false });
    } else {
      // What follows tells which error of TSIG it is.
      const { reason } = this.#trouble;
      this.#settleTimer = setTimeout(() => this.#settle({ kind: "tsig", reason }), SETTLE);
    }
  }

  #settleLate(): void {
    this.#settle({ kind: "late", reason: `no answer in ${this.#timeout / 1000} s` });
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
  switch (error) {
    case "BADTIME":
      return "BADTIME: the nameserver's clock and this machine's differ by minutes";
    case "BADKEY":
      // With which Knot also answers what its ACL denies.
      return refusalReason("NOTAUTH", false) +
        " (BADKEY: it does not know the key's name or algorithm, or its ACL denies this)";
    case "BADSIG":
      return "BADSIG: the TSIG key's secret is not the one that the nameserver has";
    default:
      return error;
  }
}

function sessionKeyReason(file: string, problem: string): string {
  const path = file.replace(/^\/+/, "/");
  const cause = /not found/.test(problem)
    ? "named is not running, or no zone of it has update-policy local"
    : "run sftdyn as named's user, or set nskeyfile";
  return `no session key: ${path}: ${problem}: ${cause}`;
}
