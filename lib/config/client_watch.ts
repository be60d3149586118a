/** Notices when files of clients have changed. */

import { type StatFile, StayingFault, versionsOf } from "../file_watch.ts";
import type { ClientFiles } from "./client_files.ts";
import { firstFault } from "./settings.ts";

export interface ClientWatchOptions {
  /** Told once what is wrong with the files. */
  onFault: (message: string) => void;
  stat?: StatFile;
}

/** Checks at each poll; reads the files if they have changed, and are the same at two polls. */
export class ClientWatch {
  readonly #stat: StatFile;
  readonly #fault: StayingFault;
  /** At the last poll. */
  #seen: string | undefined;
  /** Of files that were read, and are at fault. */
  #faulty: string | undefined;

  constructor({ onFault, stat = Deno.stat }: ClientWatchOptions) {
    this.#stat = stat;
    this.#fault = new StayingFault(onFault);
  }

  /** What is wrong with the files, so that the clients from before are used. */
  get fault(): string | undefined {
    return this.#fault.message;
  }

  /** What the files hold, if that is not `current`, and nothing is wrong with it. */
  async poll(current: ClientFiles): Promise<ClientFiles | undefined> {
    const version = await versionsOf(current.paths, this.#stat);
    const isSettled = version === this.#seen;
    this.#seen = version;
    if (version === current.version) {
      this.#fault.clear();
      this.#faulty = undefined;
      return undefined;
    }
    // What somebody is about to write may be half of it.
    if (!isSettled || version === this.#faulty) return undefined;
    const found = await current.again();
    if (found.faultCount === 0) {
      this.#fault.clear();
      return found;
    }
    // What could not be read may be readable next time, without having changed.
    this.#faulty = found.isUnreadable ? undefined : version;
    this.#fault.add(version, firstFault(found.faults, found.faultCount));
    return undefined;
  }
}
