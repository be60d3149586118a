/** Processes that speak as `nsupdate -d` of BIND 9.18 does; what it says was recorded. */

import type { NsupdateProcess } from "../../lib/dns/nsupdate_session.ts";

/** What a process says or does when a message reaches it. */
export type Act = (process: FakeProcess) => void;

export class FakeProcess {
  input = "";
  hasEnded = false;
  signals: (Deno.Signal | undefined)[] = [];
  isInputClosed = false;
  readonly stdin: WritableStream<Uint8Array>;
  readonly stderr: ReadableStream<Uint8Array>;
  readonly status: Promise<Deno.CommandStatus>;
  #stderr!: ReadableStreamDefaultController<Uint8Array>;
  #ended = Promise.withResolvers<Deno.CommandStatus>();

  /** @param act the next message's */
  constructor(
    readonly args: string[],
    act: () => Act,
    { endsWithInput = true, greeting = GREETING } = {},
  ) {
    this.status = this.#ended.promise;
    this.stderr = new ReadableStream({ start: (controller) => void (this.#stderr = controller) });
    this.stdin = new WritableStream({
      write: (bytes) => {
        if (this.hasEnded) throw new Deno.errors.BrokenPipe("Broken pipe (os error 32)");
        const text = new TextDecoder().decode(bytes);
        this.input += text;
        for (const _ of text.matchAll(/^send$/mg)) act()(this);
      },
      close: () => {
        this.isInputClosed = true;
        if (endsWithInput) this.end(0);
      },
    });
    this.say(greeting);
  }

  /** As a Deno.ChildProcess. */
  get asChild(): NsupdateProcess {
    return this as unknown as NsupdateProcess;
  }

  say(said: string | Uint8Array): void {
    if (this.hasEnded) return;
    this.#stderr.enqueue(typeof said === "string" ? new TextEncoder().encode(said) : said);
  }

  end(code: number, signal: Deno.Signal | null = null): void {
    if (this.hasEnded) return;
    this.hasEnded = true;
    this.#stderr.close();
    this.#ended.resolve({ success: code === 0, code, signal });
  }

  kill(signal?: Deno.Signal): void {
    if (this.hasEnded) throw new TypeError("Child process has already terminated");
    this.signals.push(signal);
    this.end(137, signal ?? "SIGTERM");
  }
}

export const says = (said: string): Act => (process) => process.say(said);
export const ends = (said: string, code = 1, signal: Deno.Signal | null = null): Act => {
  return (process) => {
    process.say(said);
    process.end(code, signal);
  };
};
export const isSilent: Act = () => {};

export const GREETING = "Creating key...\nCreating key...\nnamefromtext\nkeycreate\n";
export const SENDING = "Sending update to 192.0.2.53#5353\n";

/** An answer to an UPDATE. */
export function reply(
  rcode: string,
  tsig = "4kekWd7FdGeqdNbkJsF6bxk4HvdTb3rhyD7wnbA+Bmk= 63800 NOERROR 0",
): string {
  return `
Reply from update query:
;; ->>HEADER<<- opcode: UPDATE, status: ${rcode}, id:  63800
;; flags: qr; ZONE: 1, PREREQ: 0, UPDATE: 0, ADDITIONAL: 1
;; ZONE SECTION:
;dyn.example.\t\t\tIN\tSOA

;; TSIG PSEUDOSECTION:
local-ddns.\t\t0\tANY\tTSIG\thmac-sha256. 1795382780 300 32 ${tsig} 

`;
}

/** An answer without a signature. */
export function unsigned(rcode: string): string {
  return "; TSIG error with server: expected a TSIG or SIG(0)\n" +
    reply(rcode).replace(/;; TSIG P.*\n.*\n/, "").replace("ADDITIONAL: 1", "ADDITIONAL: 0");
}

/** An answer that tells that the key is not accepted. */
export function tsigError(error: string): string {
  return `; TSIG error with server: tsig indicates error\n${reply("NOTAUTH", `63800 ${error} 0`)}`;
}

/** The answer to the question for the zone. */
export function soaReply(rcode: string): string {
  return `Reply from SOA query:
;; ->>HEADER<<- opcode: QUERY, status: ${rcode}, id:  20027
;; flags: qr aa; QUESTION: 1, ANSWER: 0, AUTHORITY: 1, ADDITIONAL: 1
;; QUESTION SECTION:
;a.dyn.example.\t\t\tIN\tSOA

;; AUTHORITY SECTION:
dyn.example.\t\t0\tIN\tSOA\tns.dyn.example. admin.dyn.example. 1 3600 600 86400 60

;; TSIG PSEUDOSECTION:
local-ddns.\t\t0\tANY\tTSIG\thmac-sha256. 1795597735 300 32 E+gcHQZZDGDunVnGbuwZxVLT9sj2lW7L= 20027 NOERROR 0 

`;
}

/** All that is said of a zone that is found. */
export function found(zone: string, rcode = "NXDOMAIN"): string {
  return `${soaReply(rcode)}Found zone name: ${zone}\nThe primary is: ns.dyn.example\n`;
}

/** The question for an alias finds its target's name first, and no zone. */
export function foundForAlias(zone: string): string {
  return soaReply("NOERROR") + found(zone, "NOERROR");
}

export function failedTo(problem: string): string {
  return `; Communication with 192.0.2.53#5353 failed: ${problem}\n`;
}
