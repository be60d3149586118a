/**
 * The life of the thread in which hooks run: it is started, called, and ended and
 * started anew if it does not come back. Nobody waits for it longer than the timeout.
 */

import type { Argument, FromWorker, HookName, Place, Returned, Thrown } from "./messages.ts";

export interface HookWorkerOptions {
  /** The module, an absolute path. */
  file: string;
  /** Milliseconds for a call, and for loading. */
  timeout: number;
  onPrinted: (text: string) => void;
  /** Something was thrown that nobody waited for. */
  onStray: (place: Place | undefined) => void;
  /** It was ended, and is started anew. */
  onRestart: (reason: string) => void;
  createWorker?: () => Worker;
  /** Calls that may wait. */
  maxWaiting?: number;
  /** Milliseconds for a sign of life. */
  patience?: number;
}

/** A hook, or all of them, failed: what was thrown, and where. */
export class HookFailure extends Error {
  override name = "HookFailure";
  constructor(readonly thrown: Thrown) {
    super(thrown.text);
  }
}

/** Too many calls wait. */
export class HookBusy extends Error {
  override name = "HookBusy";
}

interface Call {
  readonly hook: HookName;
  readonly args: readonly Argument[];
  readonly key: string;
  readonly since: number;
  resolve(value: Returned): void;
  reject(error: Error): void;
}

/** What a module exports: name to `typeof`. */
export type Exports = Readonly<Record<string, string>>;

const MAX_WAITING = 256;
const PATIENCE = 1000;
/** Calls that were given up and may still be under way; with more, it is started anew. */
const MAX_LATE = 100;
/** Milliseconds until it is tried again after it could not be loaded. */
const PAUSE = 1000;
/** Descriptors that a worker needs, and some more: Deno ends the process where they are not there. */
const DESCRIPTORS = 32;

export class HookWorker {
  readonly #options: Required<HookWorkerOptions>;
  readonly #url: string;
  #worker: Worker | undefined;
  #begun = newBegun();
  /** In the order in which they came. */
  readonly #calls = new Map<number, Call>();
  #lastId = 0;
  #late = 0;
  #loading: PromiseWithResolvers<Exports> | undefined;
  #loadTimer: ReturnType<typeof setTimeout> | undefined;
  #deadlineTimer: ReturnType<typeof setTimeout> | undefined;
  #lifeTimer: ReturnType<typeof setTimeout> | undefined;
  /** Why it could not be loaded, and when. */
  #failure: { at: number; error: HookFailure } | undefined;
  #isRetired = false;

  constructor(options: HookWorkerOptions) {
    this.#options = {
      createWorker,
      maxWaiting: MAX_WAITING,
      patience: PATIENCE,
      ...options,
    };
    this.#url = `file://${options.file.split("/").map(encodeURIComponent).join("/")}`;
  }

  /**
   * Starts it and loads the module.
   *
   * @throws {HookFailure}
   */
  load(): Promise<Exports> {
    const loading = this.#loading = Promise.withResolvers<Exports>();
    // Of a start that a call makes, the calls hear.
    loading.promise.catch(() => {});
    this.#start();
    return loading.promise;
  }

  /**
   * Calls a hook.
   *
   * @param key what nobody gets to read
   * @throws {HookFailure}
   * @throws {HookBusy}
   */
  call(hook: HookName, args: readonly Argument[], key: string): Promise<Returned> {
    if (this.#calls.size >= this.#options.maxWaiting) {
      return Promise.reject(new HookBusy("too many requests wait for the hooks"));
    }
    if (this.#failure !== undefined && performance.now() - this.#failure.at < PAUSE) {
      return Promise.reject(this.#failure.error);
    }
    const id = ++this.#lastId;
    return new Promise((resolve, reject) => {
      const call = { hook, args, key, since: performance.now(), resolve, reject };
      this.#calls.set(id, call);
      this.#watch();
      if (this.#worker === undefined) void this.load();
      else if (this.#loading === undefined) this.#post(id, call);
    });
  }

  /** Ends it when nobody waits for it any more. */
  retire(): void {
    this.#isRetired = true;
    if (this.#calls.size === 0) this.#end();
  }

  /** Ends it; calls that wait fail. */
  close(): void {
    this.#isRetired = true;
    this.#end();
    this.#failAll(failure("it was ended"));
  }

  #start(): void {
    this.#end();
    if (!hasDescriptors(this.#options.file)) {
      return this.#notLoaded(failure("too many files are open to start it"));
    }
    const worker = this.#options.createWorker();
    this.#worker = worker;
    this.#begun = newBegun();
    worker.onmessage = ({ data }: MessageEvent<FromWorker>) => {
      if (this.#worker === worker) this.#receive(data);
    };
    worker.onerror = (event) => {
      event.preventDefault();
      if (this.#worker === worker) this.#restart("it ended by itself");
    };
    worker.postMessage({ kind: "load", url: this.#url, begun: this.#begun });
    const { timeout } = this.#options;
    this.#loadTimer = setTimeout(
      () => this.#notLoaded(failure(`it could not be loaded in ${timeout / 1000} s`)),
      timeout,
    );
  }

  #receive(message: FromWorker): void {
    switch (message.kind) {
      case "loaded":
        clearTimeout(this.#loadTimer);
        this.#failure = undefined;
        this.#loading?.resolve(message.exports);
        this.#loading = undefined;
        for (const [id, call] of this.#calls) this.#post(id, call);
        return;
      case "not loaded":
        return this.#notLoaded(new HookFailure(message.thrown));
      case "returned":
        return this.#settle(message.id, (call) => call.resolve(message.value));
      case "threw":
        return this.#settle(message.id, (call) => call.reject(new HookFailure(message.thrown)));
      case "stray":
        return this.#options.onStray(message.place);
      case "printed":
        return this.#options.onPrinted(message.text);
      case "pong":
        clearTimeout(this.#lifeTimer);
        this.#lifeTimer = undefined;
    }
  }

  #post(id: number, { hook, args, key }: Call): void {
    this.#worker!.postMessage({ kind: "call", id, hook, args, key });
  }

  #settle(id: number, tell: (call: Call) => void): void {
    const call = this.#calls.get(id);
    // It came too late.
    if (call === undefined) return void this.#late--;
    this.#calls.delete(id);
    tell(call);
    if (this.#isRetired && this.#calls.size === 0) this.#end();
  }

  #notLoaded(error: HookFailure): void {
    this.#end();
    this.#failure = { at: performance.now(), error };
    this.#loading?.reject(error);
    this.#loading = undefined;
    this.#failAll(error);
  }

  #failAll(error: HookFailure): void {
    for (const id of [...this.#calls.keys()]) this.#settle(id, (call) => call.reject(error));
  }

  /** Has the oldest call's deadline watched. */
  #watch(): void {
    if (this.#deadlineTimer !== undefined) return;
    const [oldest] = this.#calls.values();
    if (oldest === undefined) return;
    this.#deadlineTimer = setTimeout(() => {
      this.#deadlineTimer = undefined;
      this.#failLate();
      this.#watch();
    }, Math.max(0, oldest.since + this.#options.timeout - performance.now()));
  }

  #failLate(): void {
    const { timeout } = this.#options;
    const before = performance.now() - timeout;
    let isLate = false;
    for (const [id, { since }] of [...this.#calls]) {
      if (since > before) break;
      isLate = true;
      const hasBegun = id <= this.#begun[0]!;
      const text = `${hasBegun ? "it took longer than" : "its turn did not come in"} ` +
        `${timeout / 1000} s`;
      if (hasBegun) this.#late++;
      this.#settle(id, (call) => call.reject(failure(text)));
    }
    if (!isLate || this.#worker === undefined || this.#loading !== undefined) return;
    if (this.#late > MAX_LATE) return this.#restart("too many calls were not answered");
    if (this.#lifeTimer !== undefined) return;
    // Waiting for something, or in a loop?
    this.#worker.postMessage({ kind: "ping" });
    this.#lifeTimer = setTimeout(
      () => this.#restart("a hook did not return"),
      this.#options.patience,
    );
  }

  /** Ends it with all that has begun, and starts it anew for all that has not. */
  #restart(reason: string): void {
    const begun = this.#begun[0]!;
    const wasLoading = this.#loading !== undefined;
    this.#end();
    this.#options.onRestart(reason);
    if (wasLoading) return this.#notLoaded(failure(reason));
    for (const id of [...this.#calls.keys()]) {
      if (id > begun) break;
      this.#settle(id, (call) => call.reject(failure(`ended with all others: ${reason}`)));
    }
    if (!this.#isRetired || this.#calls.size > 0) void this.load();
  }

  #end(): void {
    clearTimeout(this.#loadTimer);
    clearTimeout(this.#lifeTimer);
    this.#lifeTimer = undefined;
    if (this.#calls.size === 0) {
      clearTimeout(this.#deadlineTimer);
      this.#deadlineTimer = undefined;
    }
    this.#late = 0;
    this.#worker?.terminate();
    this.#worker = undefined;
  }
}

function createWorker(): Worker {
  return new Worker(new URL("./worker.ts", import.meta.url), { type: "module", name: "hooks" });
}

/** The id of the newest call that the worker has begun: it tells so even if it is in a loop. */
function newBegun(): Int32Array<SharedArrayBuffer> {
  return new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT));
}

function failure(text: string): HookFailure {
  return new HookFailure({ text, place: undefined });
}

function hasDescriptors(file: string): boolean {
  const opened: Deno.FsFile[] = [];
  try {
    while (opened.length < DESCRIPTORS) opened.push(Deno.openSync(file));
    return true;
  } catch (error) {
    // Why it cannot be read is told when it is loaded.
    return error instanceof Deno.errors.NotFound || error instanceof Deno.errors.PermissionDenied;
  } finally {
    for (const each of opened) each.close();
  }
}
