/** What is remembered for whoever watches sftdyn: nothing where nobody does. */

import { Calls, type CallsOptions } from "../calls.ts";
import type { Config } from "../config/config.ts";
import type { UpdaterWatch } from "../dns/updater.ts";
import type { Hostname } from "../hostname.ts";
import { Observer } from "../http/observer.ts";

export class Watch implements UpdaterWatch {
  readonly #options: Pick<CallsOptions, "clock">;
  #calls: Calls | undefined;
  #observer: Observer | undefined;

  constructor(options: Pick<CallsOptions, "clock"> = {}) {
    this.#options = options;
  }

  /** Who has called; undefined where nobody wants to know. */
  get calls(): Calls | undefined {
    return this.#calls;
  }

  /** How many were answered how; there where `calls` is. */
  get observer(): Observer | undefined {
    return this.#observer;
  }

  /** Begins, goes on with what it knows, or forgets it all: as the configuration has it. */
  apply(config: Pick<Config, "status" | "withdrawal">): void {
    // All that wants to know of calls.
    const isWanted = config.status !== undefined || config.withdrawal !== undefined;
    if (isWanted === (this.#calls !== undefined)) return;
    this.#calls = isWanted ? new Calls(this.#options) : undefined;
    this.#observer = this.#calls && new Observer(this.#calls);
  }

  changed(name: Hostname): void {
    this.#calls?.changed(name);
  }

  failed(name: Hostname, reason: string): void {
    this.#calls?.failed(name, reason);
  }
}
