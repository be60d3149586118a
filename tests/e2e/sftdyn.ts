/** sftdyn as a process: started as an administrator would, watched from outside. */

import { assert } from "@std/assert";
import { ROOT, stdFlags } from "../../tools/deno.ts";
import { type Ran, run, type RunOptions, statusOf } from "../../tools/program.ts";
import { RUN_FLAGS } from "../../tools/run_flags.ts";
import { until, within } from "../support.ts";

/** Characters of a log that are told. */
const MAX_LOG = 2000;

/** The program and its first arguments: the executable if there is one to test, else the source. */
export const PROGRAM: readonly [string, ...string[]] = await program();

async function program(): Promise<[string, ...string[]]> {
  const executable = Deno.env.get("SFTDYN_TEST_PROGRAM");
  if (executable !== undefined) return [executable];
  const known = Deno.env.get("SFTDYN_TEST_FLAGS");
  const flags = known === undefined ? await stdFlags() : JSON.parse(known) as string[];
  return [Deno.execPath(), "run", "--quiet", ...flags, ...RUN_FLAGS, `${ROOT}/main.ts`];
}

export { type Ran, run, type RunOptions, until };

/** Runs sftdyn to its end. */
export function sftdyn(args: string[], options?: RunOptions): Promise<Ran> {
  return run([...PROGRAM, ...args], options);
}

/** A sftdyn that serves. */
export class Sftdyn {
  readonly #process: Deno.ChildProcess;
  readonly #reading: Promise<void>;
  #log = "";

  private constructor(process: Deno.ChildProcess) {
    this.#process = process;
    this.#reading = this.#read();
  }

  /** Starts it and waits until it listens as often as it should. */
  static async start(
    args: string[],
    { listeners = 1, ...options }: Deno.CommandOptions & { listeners?: number } = {},
    [program, ...first]: readonly [string, ...string[]] = PROGRAM,
  ): Promise<Sftdyn> {
    const process = new Deno.Command(program, {
      ...options,
      args: [...first, ...args],
      stdin: "null",
      stdout: "null",
      stderr: "piped",
    }).spawn();
    const started = new Sftdyn(process);
    let hasEnded = false;
    process.status.then(() => hasEnded = true);
    const isListening = () => started.count(/listening on/g) >= listeners;
    try {
      await until("listening", () => hasEnded || isListening());
    } catch {
      started.kill("SIGKILL");
    }
    if (!hasEnded && isListening()) return started;
    const code = await started.ended();
    // The last words come last: a report may be cut from its beginning.
    throw new Error(`sftdyn did not start (${code}):\n${started.log().slice(-MAX_LOG)}`);
  }

  get pid(): number {
    return this.#process.pid;
  }

  log(): string {
    return this.#log;
  }

  count(pattern: RegExp): number {
    return this.#log.match(pattern)?.length ?? 0;
  }

  async logged(pattern: RegExp): Promise<void> {
    await until(`log with ${pattern}`, () => pattern.test(this.#log));
  }

  /** Resident memory in MB: now, and the most since it was started. */
  async memory(): Promise<{ now: number; most: number }> {
    const status = await Deno.readTextFile(`/proc/${this.pid}/status`);
    const [, most, now] = /VmHWM:\s+(\d+)[^]*VmRSS:\s+(\d+)/.exec(status)!;
    return { now: Number(now) / 1024, most: Number(most) / 1024 };
  }

  kill(signal: Deno.Signal): void {
    this.#process.kill(signal);
  }

  /** Its exit code. */
  async ended(): Promise<number> {
    const { code } = await statusOf(this.#process, () => this.#log);
    await within(this.#reading, "the end of its log");
    return code;
  }

  /** Ends it as systemd does. */
  async stop(): Promise<number> {
    this.kill("SIGTERM");
    return await this.ended();
  }

  async #read(): Promise<void> {
    for await (const text of this.#process.stderr.pipeThrough(new TextDecoderStream())) {
      this.#log += text;
    }
  }
}

/** Seconds. Some requests are to wait while much else is done, on a busy machine too. */
const ANSWER_TIMEOUT = 120;

/** What curl got: the status and the body, as `200 OK`. */
export async function curl(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await run(
    ["curl", "-sS", "--max-time", `${ANSWER_TIMEOUT}`, "-w", "\n%{http_code}", ...args],
    { env: { no_proxy: "*" }, timeout: ANSWER_TIMEOUT + 10 },
  );
  assert(code === 0, `curl: ${stderr}`);
  const at = stdout.lastIndexOf("\n");
  return `${stdout.slice(at + 1)} ${stdout.slice(0, at)}`;
}

/** Sends bytes as they are, and reads the answer until the other side closes or resets. */
export async function raw(port: number, request: string | Uint8Array): Promise<string> {
  const conn = await Deno.connect({ hostname: "127.0.0.1", port });
  const decoder = new TextDecoder();
  let answer = "";
  try {
    let left = typeof request === "string" ? new TextEncoder().encode(request) : request;
    while (left.length > 0) left = left.subarray(await conn.write(left));
    const chunk = new Uint8Array(16_384);
    for (let count; (count = await conn.read(chunk)) !== null;) {
      answer += decoder.decode(chunk.subarray(0, count), { stream: true });
    }
  } catch (error) {
    const { ConnectionReset, BrokenPipe } = Deno.errors;
    if (!(error instanceof ConnectionReset || error instanceof BrokenPipe)) throw error;
  } finally {
    conn.close();
  }
  return answer;
}

/** A folder that is gone afterwards. */
export async function withFolder(body: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "sftdyn-test-" });
  try {
    await body(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** A self-signed certificate of version 3 for this machine, as `cert.pem` and `key.pem`. */
export async function makeCertificate(folder: string, days = 30): Promise<void> {
  const { code, stderr } = await run([
    "openssl",
    "req",
    "-x509",
    "-newkey",
    "ec",
    "-pkeyopt",
    "ec_paramgen_curve:prime256v1",
    "-nodes",
    "-days",
    `${days}`,
    "-subj",
    "/CN=localhost",
    "-addext",
    "subjectAltName=IP:127.0.0.1,IP:::1,DNS:localhost",
    // Deno as a client takes no authority's certificate for a server's.
    "-addext",
    "basicConstraints=CA:FALSE",
    "-keyout",
    `${folder}/key.pem`,
    "-out",
    `${folder}/cert.pem`,
  ]);
  assert(code === 0, stderr);
}
