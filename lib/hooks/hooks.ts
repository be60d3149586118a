/**
 * The administrator's own functions, which decide where the built-in ones would:
 * they are called in a thread of their own, and what they return is checked like
 * everything from outside.
 */

import { type Address, parseAddress, unusable } from "../address.ts";
import { closestWord } from "../closest_word.ts";
import { count } from "../count.ts";
import { type Hostname, parseHostname } from "../hostname.ts";
import { limitRate, type Log } from "../log.ts";
import { checkCommands } from "./commands.ts";
import { type Exports, HookBusy, HookFailure, HookWorker } from "./hook_worker.ts";
import {
  type HeaderList,
  type HookArguments,
  type HookName,
  HOOKS,
  type Returned,
  type Thrown,
} from "./messages.ts";

export type { HeaderList };

export interface HooksOptions {
  /** The module, an absolute path. */
  file: string;
  /** Milliseconds that a call may take. */
  timeout: number;
  /** Milliseconds that loading it may take. */
  loadTimeout?: number;
  log: Pick<Log, "error" | "warning" | "info">;
  /** Calls that may wait. */
  maxWaiting?: number;
  createWorker?: () => Worker;
}

/** The hooks cannot be used; each fault is a line. */
export class HooksError extends Error {
  override name = "HooksError";
  constructor(readonly faults: readonly string[]) {
    super(faults.join("\n"));
  }
}

/** A hook did not do what it is there for, which was logged; BUSY: too many calls wait. */
export class HookError extends Error {
  override name = "HookError";
  constructor(readonly result: "FAIL" | "BUSY") {
    super(result);
  }
}

/** Lines a second. */
const MAX_ERRORS = 10;
const MAX_PRINTED = 10;

export class Hooks {
  readonly #file: string;
  readonly #worker: HookWorker;
  readonly #names = new Set<HookName>();
  readonly #error: (message: string) => void;

  private constructor({ file, log, ...options }: HooksOptions) {
    this.#file = file;
    const error = limitRate(log.error, {
      most: MAX_ERRORS,
      summary: (number) => `${file}: ${count(number, "more error")} just now`,
    });
    this.#error = (message) => error(message, { event: "hook_failed" });
    const info = limitRate(log.info, { most: MAX_PRINTED });
    this.#worker = new HookWorker({
      file,
      ...options,
      onPrinted: (text) => info(`${file} printed: ${text}`, { event: "hook_printed" }),
      onStray: (place) =>
        this.#error(this.#located({ text: "an error that nothing in it caught", place })),
      onRestart: (reason) => {
        log.warning(`${file}: started anew: ${reason}`, { event: "hook_restarted" });
      },
    });
  }

  /**
   * Loads a module of hooks.
   *
   * @throws {HooksError}
   */
  static async load(options: HooksOptions): Promise<Hooks> {
    const hooks = new Hooks(options);
    let exports;
    try {
      exports = await hooks.#worker.load();
    } catch (error) {
      if (!(error instanceof HookFailure)) throw error;
      throw new HooksError([hooks.#located(error.thrown)]);
    }
    const faults = faultsOf(exports);
    if (faults.length > 0) {
      hooks.close();
      throw new HooksError(faults.map((fault) => `${options.file}: ${fault}`));
    }
    for (const name of HOOKS) if (name in exports) hooks.#names.add(name);
    return hooks;
  }

  /** Those that there are; the others are built in. */
  get names(): readonly HookName[] {
    return [...this.#names];
  }

  has(name: HookName): boolean {
    return this.#names.has(name);
  }

  /**
   * The address that is meant; undefined if the built-in rules decide.
   *
   * @param sourceIp the connection's other end
   * @param key as it was sent; "" if there is none
   * @throws {HookError}
   */
  getIp(sourceIp: string, headers: HeaderList, key: string): Promise<Address | undefined> {
    return this.#call("getIp", [sourceIp, headers, key], key, (returned) => {
      const address = typeof returned === "string" ? parseAddress(returned) : undefined;
      if (address === undefined) {
        throw new RangeError('it returned no address: expected one like "203.0.113.7", or nothing');
      }
      const problem = unusable(address);
      if (problem !== undefined) throw new RangeError(`its address cannot be used (${problem})`);
      return address;
    });
  }

  /**
   * The hosts of whoever has this key; undefined if nobody has.
   *
   * @throws {HookError}
   */
  getHost(key: string, ip: string): Promise<Hostname[] | undefined> {
    return this.#call("getHost", [key, ip], key, (returned) => {
      const names = typeof returned === "string" ? [returned] : returned;
      return names.length === 0 ? undefined : [...new Set(names.map(parseHostname))];
    });
  }

  /**
   * The lines for nsupdate that set this address; undefined for the built-in ones.
   *
   * @param key which is not handed on, but may be what an error tells
   * @throws {HookError}
   */
  nsupdateCommands(
    host: Hostname,
    ip: string,
    headers: HeaderList,
    key: string,
  ): Promise<readonly string[] | undefined> {
    return this.#call("nsupdateCommands", [host, ip, headers], key, (returned) => {
      if (typeof returned === "string") {
        throw new TypeError("it returned a string: expected a list of lines, or nothing");
      }
      return checkCommands(returned);
    });
  }

  /** Ends them when nobody waits for them any more. */
  retire(): void {
    this.#worker.retire();
  }

  /** Ends them. */
  close(): void {
    this.#worker.close();
  }

  async #call<Name extends HookName, T>(
    name: Name,
    args: HookArguments[Name],
    key: string,
    check: (returned: NonNullable<Returned>) => T,
  ): Promise<T | undefined> {
    if (!this.#names.has(name)) return undefined;
    try {
      const returned = await this.#worker.call(name, args, key);
      return returned === undefined ? undefined : check(returned);
    } catch (error) {
      if (error instanceof HookBusy) {
        this.#error(`${this.#file}: ${name}: ${error.message}`);
        throw new HookError("BUSY");
      }
      if (error instanceof HookFailure) this.#error(this.#located(error.thrown, name));
      else if (error instanceof RangeError || error instanceof TypeError) {
        this.#error(`${this.#file}: ${name}: ${error.message}`);
      } else throw error;
      throw new HookError("FAIL");
    }
  }

  /** With where it was thrown, where that is known. */
  #located({ text, place }: Thrown, name?: HookName): string {
    const file = place?.file ?? this.#file;
    const at = place === undefined ? "" : ` line ${place.line}, column ${place.column}:`;
    return `${file}:${at}${name === undefined ? "" : ` ${name}:`} ${text}`;
  }
}

/** What is wrong with what a module exports. */
function faultsOf(exports: Exports): string[] {
  const expected = HOOKS.join(", ");
  const names = Object.keys(exports);
  if (names.length === 0) return [`it exports nothing: expected one of ${expected}`];
  return names.flatMap((name) => {
    if (!(HOOKS as readonly string[]).includes(name)) {
      const meant = closestWord(name.replaceAll("_", ""), HOOKS);
      return meant === undefined
        ? `"${name}" is no hook: expected one of ${expected}`
        : `"${name}" is no hook, did you mean "${meant}"?`;
    }
    if (exports[name] === "function") return [];
    return `"${name}" is no function, but of type ${exports[name]}`;
  });
}
