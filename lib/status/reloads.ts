/** What came of the last reload, and of the files that are looked at in between. */

import type { Config } from "../config/config.ts";

export interface ReloadsOptions {
  /** What is served now. */
  config: () => Pick<Config, "clientFiles" | "https">;
  /** What is wrong with files, as each watch has found it. */
  clientWatch: { readonly fault: string | undefined };
  certificateWatch: { readonly fault: string | undefined };
  /** Milliseconds since 1970. */
  now?: () => number;
}

export class Reloads {
  readonly #options: Required<ReloadsOptions>;
  #failed: { readonly at: number; readonly reason: string } | undefined;
  #doneAt: number;

  constructor(options: ReloadsOptions) {
    this.#options = { now: Date.now, ...options };
    this.#doneAt = this.#options.now();
  }

  /** When one was done last; the start is the first. */
  get doneAt(): number {
    return this.#doneAt;
  }

  /** Whether the last one was done. */
  get isDone(): boolean {
    return this.#failed === undefined;
  }

  /** @param reason why it was not done, if so */
  ended(reason?: string): void {
    const at = this.#options.now();
    this.#failed = reason === undefined ? undefined : { at, reason };
    if (reason === undefined) this.#doneAt = at;
  }

  /** Why something of before is still used, a line each. */
  get faults(): string[] {
    const { config, clientWatch, certificateWatch } = this.#options;
    const { clientFiles, https } = config();
    const faults: string[] = [];
    if (this.#failed !== undefined) {
      const { at, reason } = this.#failed;
      faults.push(`not reloaded at ${new Date(at).toISOString()}: ${reason}`);
    }
    if (clientFiles !== undefined && clientWatch.fault !== undefined) {
      faults.push(`the previous clients are kept: ${clientWatch.fault}`);
    }
    if (https.length > 0 && certificateWatch.fault !== undefined) {
      faults.push(`https keeps the previous certificate: ${certificateWatch.fault}`);
    }
    return faults;
  }
}
