/** Notices when a certificate's files have changed, as after a renewal. */

import {
  type Certificate,
  CertificateError,
  isSameCertificate,
  loadCertificate,
} from "./certificate.ts";
import { type StatFile, StayingFault, versionsOf } from "../file_watch.ts";
import type { Log } from "../log.ts";

export interface CertificateWatchOptions {
  log: Log;
  stat?: StatFile;
  load?: typeof loadCertificate;
}

/** A renewal writes one file after the other: they may not belong together at one poll. */
const PATIENCE = 2;

/** Checks at each poll; reads the files only if they have changed, or could not be used before. */
export class CertificateWatch {
  readonly #stat: StatFile;
  readonly #load: typeof loadCertificate;
  readonly #fault: StayingFault;
  /** Of files that were read, and hold the certificate that is in use. */
  #version: string | undefined;

  constructor({ log, stat = Deno.stat, load = loadCertificate }: CertificateWatchOptions) {
    this.#stat = stat;
    this.#load = load;
    this.#fault = new StayingFault(
      (message) => log.error(`https keeps the previous certificate: ${message}`),
      PATIENCE,
    );
  }

  /** What is wrong with the files, so that the certificate from before is used. */
  get fault(): string | undefined {
    return this.#fault.message;
  }

  /**
   * The certificate that is now in this one's files, if it is another. Files that
   * cannot be used are one line in the log, at the second poll.
   */
  async poll(current: Certificate): Promise<Certificate | undefined> {
    const version = await versionsOf(current.files, this.#stat);
    if (version === this.#version) {
      this.#fault.clear();
      return undefined;
    }
    try {
      const found = await this.#load(...current.files);
      this.#fault.clear();
      if (!isSameCertificate(found, current)) return found;
      this.#version = version;
      return undefined;
    } catch (error) {
      if (!(error instanceof CertificateError)) throw error;
      // What could not be read may be readable next time, without having changed.
      this.#fault.add(version, error.message);
      return undefined;
    }
  }
}
