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
  stat?: (path: string) => Promise<Pick<Deno.FileInfo, "mtime" | "size" | "ino">>;
  load?: typeof loadCertificate;
}

/** Checks at each poll; reads the files only if they were modified. */
export class CertificateWatch {
  readonly #options: Required<CertificateWatchOptions>;
  #version: string | undefined;
  #hadFault = false;

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
      this.#hadFault = false;
      if (!isSameCertificate(found, current)) return found;
      this.#version = version;
      return undefined;
    } catch (error) {
      if (!(error instanceof CertificateError)) throw error;
      if (!this.#hadFault) this.#hadFault = true;
      else {
        this.#hadFault = false;
        this.#version = version;
        log.error(`https keeps the previous certificate: ${error.message}`);
      }
      return undefined;
    }
  }

  async #versionOf(file: string): Promise<string> {
    try {
      const { mtime, size, ino } = await this.#options.stat(file);
      return `${mtime?.getTime()}.${size}.${ino}`;
    } catch {
      return "none";
    }
  }
}
