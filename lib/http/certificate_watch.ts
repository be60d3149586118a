/** Notices when a certificate's files have changed, as after a renewal. */

import {
  type Certificate,
  CertificateError,
  isSameCertificate,
  loadCertificate,
} from "./certificate.ts";
import type { Log } from "../log.ts";

export interface CertificateWatchOptions {
  log: Log;
  stat?: (path: string) => Promise<Pick<Deno.FileInfo, "mtime" | "ctime" | "size" | "ino">>;
  load?: typeof loadCertificate;
}

/** Checks at each poll; reads the files only if they have changed, or could not be used before. */
export class CertificateWatch {
  readonly #options: Required<CertificateWatchOptions>;
  /** Of files that were read, and hold the certificate that is in use. */
  #version: string | undefined;
  /** Of files that could not be used: how often in a row, and for which version that was logged. */
  #faults = 0;
  #logged: string | undefined;

  constructor({ log, stat = Deno.stat, load = loadCertificate }: CertificateWatchOptions) {
    this.#options = { log, stat, load };
  }

  /**
   * The certificate that is now in this one's files, if it is another. Files that
   * cannot be used are one line in the log, at the second poll: a renewal writes
   * one file after the other.
   */
  async poll(current: Certificate): Promise<Certificate | undefined> {
    const { log, load } = this.#options;
    const [certFile, keyFile] = current.files;
    const version = `${await this.#versionOf(certFile)} ${await this.#versionOf(keyFile)}`;
    if (version === this.#version) return undefined;
    try {
      const found = await load(certFile, keyFile);
      this.#faults = 0;
      this.#logged = undefined;
      if (!isSameCertificate(found, current)) return found;
      this.#version = version;
      return undefined;
    } catch (error) {
      if (!(error instanceof CertificateError)) throw error;
      // What could not be read may be readable next time, without having changed.
      this.#faults++;
      const fault = `${version} ${error.message}`;
      if (this.#faults > 1 && fault !== this.#logged) {
        this.#logged = fault;
        log.error(`https keeps the previous certificate: ${error.message}`);
      }
      return undefined;
    }
  }

  async #versionOf(file: string): Promise<string> {
    try {
      const { mtime, ctime, size, ino } = await this.#options.stat(file);
      return `${mtime?.getTime()}.${ctime?.getTime()}.${size}.${ino}`;
    } catch {
      return "none";
    }
  }
}
