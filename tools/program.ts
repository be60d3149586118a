/** Programs that are run to their end, which a deadline makes sure of. */

/** Seconds. */
const TIMEOUT = 60;

export interface Ran {
  code: number;
  stdout: string;
  stderr: string;
}

export interface RunOptions
  extends Omit<Deno.CommandOptions, "args" | "signal" | "stdin" | "stdout" | "stderr"> {
  /** Seconds after which it is killed, with what it started; 60 if not given. */
  timeout?: number;
}

/**
 * Runs a program until it has ended and nobody holds its output open any more.
 *
 * @throws {Error} that did not happen in time; with what it printed until then
 */
export async function run(
  [program, ...args]: readonly [string, ...string[]],
  { timeout = TIMEOUT, ...options }: RunOptions = {},
): Promise<Ran> {
  const process = new Deno.Command(program, {
    ...options,
    args,
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const stdout = new Output(process.stdout);
  const stderr = new Output(process.stderr);
  let isLate = false;
  const timer = setTimeout(() => {
    isLate = true;
    killTree(process.pid);
    // What has left the tree may have them open still.
    stdout.cancel();
    stderr.cancel();
  }, timeout * 1000);
  const [{ code }] = await Promise.all([process.status, stdout.ended, stderr.ended]);
  clearTimeout(timer);
  if (isLate) {
    const command = [program, ...args].join(" ");
    throw new Error(
      `killed after ${timeout} s: ${command}\nstdout: ${stdout.text}\nstderr: ${stderr.text}`,
    );
  }
  return { code, stdout: stdout.text, stderr: stderr.text };
}

/**
 * The status with which a process ends by itself.
 *
 * @param said what it has printed, for the message
 * @throws {Error} it did not, and was killed
 */
export async function statusOf(
  process: Deno.ChildProcess,
  said: () => string = () => "",
  timeout = TIMEOUT,
): Promise<Deno.CommandStatus> {
  let isLate = false;
  const timer = setTimeout(() => {
    isLate = true;
    killTree(process.pid);
  }, timeout * 1000);
  const status = await process.status;
  clearTimeout(timer);
  if (isLate) throw new Error(`process ${process.pid} killed after ${timeout} s: ${said()}`);
  return status;
}

/** What a program has printed so far. */
class Output {
  text = "";
  readonly ended: Promise<void>;
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>;

  constructor(stream: ReadableStream<Uint8Array>) {
    this.#reader = stream.getReader();
    this.ended = this.#read();
  }

  cancel(): void {
    void this.#reader.cancel();
  }

  async #read(): Promise<void> {
    const decoder = new TextDecoder();
    for (let read; !(read = await this.#reader.read()).done;) {
      this.text += decoder.decode(read.value, { stream: true });
    }
    this.text += decoder.decode();
  }
}

/** Kills a process and all below it, which might keep its output open. */
function killTree(pid: number): void {
  for (const each of [pid, ...descendants(pid)]) {
    try {
      Deno.kill(each, "SIGKILL");
    } catch {
      // It has ended already.
    }
  }
}

/** Parents are in proc_pid_stat(5), behind the name, which may hold anything. */
function descendants(pid: number): number[] {
  const children = new Map<number, number[]>();
  for (const { name } of Deno.readDirSync("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    try {
      const stat = Deno.readTextFileSync(`/proc/${name}/stat`);
      const parent = Number(stat.slice(stat.lastIndexOf(")")).split(" ")[2]);
      children.set(parent, [...children.get(parent) ?? [], Number(name)]);
    } catch {
      // It has ended already.
    }
  }
  const below = (parent: number): number[] =>
    (children.get(parent) ?? []).flatMap((child) => [child, ...below(child)]);
  return below(pid);
}
