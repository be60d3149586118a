/** A server that runs in the foreground: it logs to stderr, and says there when it is ready. */

/** Milliseconds to start or to end in, on a busy machine too. */
const TIMEOUT = 30_000;

export class ServerProcess {
  readonly #command: readonly [string, ...string[]];
  readonly #ready: RegExp;
  readonly #env: Record<string, string>;
  #process!: Deno.ChildProcess;
  #ended!: Promise<void>;
  #log = "";

  /** @param ready what its log matches as soon as it is ready */
  constructor(
    command: readonly [string, ...string[]],
    ready: RegExp,
    env: Record<string, string> = {},
  ) {
    this.#command = command;
    this.#ready = ready;
    this.#env = env;
  }

  /**
   * Waits until it is ready.
   *
   * @throws {Error} it ended, or was killed as it did not get ready in time; with its log
   */
  async start(): Promise<this> {
    const [program, ...args] = this.#command;
    this.#log = "";
    this.#process = new Deno.Command(program, {
      args,
      env: this.#env,
      stdin: "null",
      stdout: "null",
      stderr: "piped",
    }).spawn();
    const ready = Promise.withResolvers<void>();
    const { status } = this.#process;
    this.#ended = Promise.all([status, this.#read(ready.resolve)]).then(([{ code, signal }]) =>
      // After it was ready, nobody hears this.
      ready.reject(new Error(`${program} ended (${signal ?? code}):\n${this.#log}`))
    );
    const timer = setTimeout(
      () => ready.reject(new Error(`${program} is not ready in time:\n${this.#log}`)),
      TIMEOUT,
    );
    try {
      await ready.promise;
    } catch (error) {
      await this.killed();
      throw error;
    } finally {
      clearTimeout(timer);
    }
    return this;
  }

  get pid(): number {
    return this.#process.pid;
  }

  /** What it logged since it was started last. */
  log(): string {
    return this.#log;
  }

  /** Sends it a signal; after SIGSTOP, nothing of it runs any more. */
  kill(signal: Deno.Signal): void {
    try {
      this.#process.kill(signal);
    } catch {
      return; // It has ended already.
    }
    if (signal === "SIGSTOP") waitUntilStopped(this.pid);
  }

  /** Kills it with SIGKILL, and waits until its ports are closed: a message to an open one would be lost. */
  async killed(): Promise<void> {
    this.kill("SIGKILL");
    await this.#ended;
  }

  /** Starts it once more, after it ended. */
  async restart(): Promise<void> {
    await this.#ended;
    await this.start();
  }

  /** Ends it, and waits for that. */
  async stop(): Promise<void> {
    this.kill("SIGCONT");
    this.kill("SIGTERM");
    const timer = setTimeout(() => this.kill("SIGKILL"), TIMEOUT);
    await this.#ended;
    clearTimeout(timer);
  }

  async #read(isReady: () => void): Promise<void> {
    for await (const text of this.#process.stderr.pipeThrough(new TextDecoderStream())) {
      this.#log += text;
      if (this.#ready.test(this.#log)) isReady();
    }
  }
}

/** On a busy machine, other threads may go on, and answer, until the one that has the signal runs. */
function waitUntilStopped(pid: number): void {
  const deadline = Date.now() + TIMEOUT;
  const threads = `/proc/${pid}/task`;
  const isStopped = ({ name }: Deno.DirEntry) => {
    try {
      return /^State:\t[TZ]/m.test(Deno.readTextFileSync(`${threads}/${name}/status`));
    } catch {
      return true; // It has ended.
    }
  };
  while (![...Deno.readDirSync(threads)].every(isStopped)) {
    if (Date.now() > deadline) throw new Error(`process ${pid} did not stop`);
  }
}
