/**
 * One `nsupdate -d` that runs: UPDATEs are written to its stdin, and what became
 * of each is read from its stderr. Knows what it says, not what to make of it.
 */

/** What is used of Deno.ChildProcess. */
export type NsupdateProcess = Pick<Deno.ChildProcess, "stdin" | "stderr" | "status" | "kill">;

/** What one session says of one UPDATE. */
export type Reply =
  | { kind: "rcode"; rcode: string }
  | { kind: "unreachable" | "tsig" | "ended" | "garbled" | "late"; reason: string };

/** Milliseconds after which the reason of a TSIG error, which comes last, is not waited for. */
const SETTLE = 100;
/** What -d says besides, and the rest of replies. */
const DEBUG = /^(Creating key|namefromtext|keycreate|Reply from|;|$)|\t/;
/** Lines that are kept of what nsupdate says before it ends. */
const MAX_WORDS = 4;
const MAX_LINE = 65_536;
const MAX_REASON = 300;

export class Session {
  readonly #process: NsupdateProcess;
  readonly #stdin: WritableStreamDefaultWriter<Uint8Array>;
  readonly #ended: Promise<void>;
  #hasEnded = false;
  /** What is to be written before the first UPDATE. */
  #preamble: string;
  /** The UPDATE that is under way. */
  #reply: PromiseWithResolvers<Reply> | undefined;
  #isSending = false;
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
