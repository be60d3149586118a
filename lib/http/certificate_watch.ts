/** Finds out when a certificate's files have changed, as at a renewal. */

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

/** Looks when it is told to; reads the files only if their times have changed. */
export class CertificateWatch {
  readonly #options: Required<CertificateWatchOptions>;
  #version: string | undefined;
  #hadFault = false;

  constructor({ log, stat = Deno.stat, load = loadCertificate }: CertificateWatchOptions) {
    this.#options = { log, stat, load };
  }

  /**
   * What stands now in the files of this certificate, if it is another one. Of
   * files that cannot be used there is one error line, at the second look: a
   * renewal writes one file after the other.
   */
  async look(current: Certificate): Promise<Certificate | undefined> {
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
        log.error(`https goes on with the former certificate: ${error.message}`);
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
