/**
 * What runs in the thread of the hooks: it loads the module, calls its functions,
 * and says what came of it. Whatever the module does, the server goes on.
 */

import { limitRate } from "../log.ts";
import {
  type Argument,
  type FromWorker,
  HOOKS,
  MAX_STRING,
  MAX_STRINGS,
  type Returned,
  type Thrown,
  type ToWorker,
} from "./messages.ts";
import { tells } from "./secret.ts";
import { describe, whatIs } from "./thrown.ts";

/** Of a worker's global scope, which is no window's. */
interface WorkerScope {
  postMessage(message: FromWorker): void;
  close: () => void;
  onmessage: ((event: MessageEvent<ToWorker>) => void) | null;
}

const scope = self as unknown as WorkerScope;
const post = scope.postMessage.bind(scope);
/** Lines that it may print a second. */
const MAX_PRINTED = 10;
const MAX_LINE = 1000;

type Hook = (...args: (string | Headers)[]) => unknown;
let hooks: Record<string, unknown> = {};
/** Holds the id of the newest call that has begun. */
let begun: Int32Array = new Int32Array(1);
/** Of the calls under way, by id. */
const keys = new Map<number, string>();

scope.onmessage = ({ data }) => {
  switch (data.kind) {
    case "load":
      begun = data.begun;
      return void load(data.url);
    case "call":
      return void call(data);
    case "ping":
      return post({ kind: "pong" });
  }
};

async function load(url: string): Promise<void> {
  try {
    const module: Record<string, unknown> = await import(url);
    const exports: Record<string, string> = {};
    for (const name of Object.keys(module)) exports[name] = typeof module[name];
    hooks = Object.fromEntries(HOOKS.map((name) => [name, module[name]]));
    post({ kind: "loaded", exports });
  } catch (error) {
    post({ kind: "not loaded", thrown: describe(error, import.meta.url) });
  }
}

async function call({ id, hook, args, key }: ToWorker & { kind: "call" }): Promise<void> {
  Atomics.store(begun, 0, id);
  keys.set(id, key);
  try {
    const value = await (hooks[hook] as Hook)(...args.map(fromArgument));
    post({ kind: "returned", id, value: plain(value) });
  } catch (error) {
    post({ kind: "threw", id, thrown: withoutKey(describe(error, import.meta.url), key) });
  } finally {
    keys.delete(id);
  }
}

function withoutKey(thrown: Thrown, key: string): Thrown {
  if (!tells(thrown.text, key)) return thrown;
  return { ...thrown, text: "an error whose message has a part of the key in it" };
}

function fromArgument(argument: Argument): string | Headers {
  if (typeof argument === "string") return argument;
  return new Headers(argument.map(([name, value]): [string, string] => [name, value]));
}

/** What was returned, copied: a string, strings or nothing, and not too much of it. */
function plain(value: unknown): Returned {
  if (value === undefined || value === null) return undefined;
  if (typeof value === "string") return short(value);
  if (!Array.isArray(value)) {
    throw new TypeError(`it returned ${whatIs(value)}: expected a string, strings or nothing`);
  }
  const { length } = value;
  if (length > MAX_STRINGS) {
    throw new RangeError(`it returned ${length} strings: expected at most ${MAX_STRINGS}`);
  }
  const strings: string[] = [];
  for (let i = 0; i < length; i++) {
    const item: unknown = value[i];
    if (typeof item !== "string") {
      throw new TypeError(`it returned a list with ${whatIs(item)} in it: expected strings`);
    }
    strings.push(short(item));
  }
  return strings;
}

function short(text: string): string {
  if (text.length <= MAX_STRING) return text;
  throw new RangeError(
    `it returned a string of ${text.length} characters: expected at most ${MAX_STRING}`,
  );
}

// What nobody waits for would end the worker, and be printed by Deno.
addEventListener("unhandledrejection", (event) => {
  event.preventDefault();
  stray(event.reason);
});
addEventListener("error", (event) => {
  event.preventDefault();
  stray(event.error);
});

/** Whose key its message may tell is not known. */
function stray(error: unknown): void {
  post({ kind: "stray", place: describe(error, import.meta.url).place });
}

// These would end the worker without a word, and leave all that wait without an answer.
const cannotEnd = (): never => {
  throw new Error("a hook cannot end sftdyn");
};
const { process } = globalThis as unknown as { process: Record<string, unknown> };
Object.assign(process, { exit: cannotEnd, reallyExit: cannotEnd });
Object.assign(Deno, { exit: cannotEnd });
scope.close = cannotEnd;
// A permission that a worker gives up is gone for the whole program.
delete (Deno as { permissions?: unknown }).permissions;
// Where no descriptor is free for a worker, Deno ends the whole program.
delete (globalThis as { Worker?: unknown }).Worker;

// What is printed belongs into the log, and no more of it than anybody reads.
const print = limitRate((text) => {
  const isTelling = keys.values().some((key) => tells(text, key));
  post({ kind: "printed", text: isTelling ? "a line that has a part of a key in it" : text });
}, { most: MAX_PRINTED });
const printed = (...values: unknown[]) => {
  const texts = values.map((value) => typeof value === "string" ? value : Deno.inspect(value));
  print(texts.join(" ").slice(0, MAX_LINE), { event: "hook_printed" });
};
for (const name of ["debug", "log", "info", "warn", "error", "trace", "dir"] as const) {
  console[name] = printed;
}
