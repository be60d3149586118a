/** All files of `clients_file`: read whole, so that they can take the place of what they held before. */

import { type ClientList, JoinedClients } from "../clients.ts";
import { delay } from "../delay.ts";
import {
  FileAccessError,
  FileChangedError,
  FileError,
  readLines,
  type ReadLinesOptions,
} from "../file.ts";
import type { Hostname } from "../hostname.ts";
import { Slices, type Work } from "../slices.ts";
import { ClientFileReader } from "./client_file.ts";
import type { ClientReader, ClientTable } from "./client_reader.ts";
import { Faults } from "./settings.ts";

export interface ClientFilesOptions extends Pick<ReadLinesOptions, "open" | "stat"> {
  paths: readonly string[];
  /** Those in the configuration itself. */
  own: ClientReader;
  /** The TTL of a host; seconds. */
  ttlOf: (name: Hostname) => number;
  /** What names the files, as faults call it. */
  place: string;
  /** Octets that each may have. */
  most?: number;
}

export interface ClientFileTable extends ClientTable {
  readonly clients: Pick<ClientList, "size">;
}

/** Octets; a million clients have 50 MB. */
const MAX_SIZE = 2 ** 28;
/** How often a file is read that changes meanwhile, and milliseconds between. */
const ATTEMPTS = 5;
const PAUSE = 200;

/** What the files held at one time. */
export class ClientFiles {
  readonly #options: ClientFilesOptions;
  readonly #readers: ClientReader[] = [];
  #versions: string[] = [];
  /** A line each, in the order of the files; a hundred for each file at most. */
  readonly faults: string[] = [];
  faultCount = 0;
  /** Whether a file could not be read, which may be otherwise without a change of it. */
  isUnreadable = false;

  private constructor(options: ClientFilesOptions) {
    this.#options = options;
  }

  /** Reads the files; what is at fault is missing. Never throws because of them. */
  static async read(options: ClientFilesOptions): Promise<ClientFiles> {
    const files = new ClientFiles(options);
    for (const path of options.paths) await files.#read(path);
    return files;
  }

  /** Reads them again. */
  again(): Promise<ClientFiles> {
    return ClientFiles.read(this.#options);
  }

  get paths(): readonly string[] {
    return this.#options.paths;
  }

  /** One a file. */
  get tables(): readonly ClientFileTable[] {
    return this.#readers;
  }

  /** Of the files as they were read. */
  get version(): string {
    return this.#versions.join(" ");
  }

  /** These, and those in the configuration itself. */
  get clients(): ClientList {
    return new JoinedClients([this.#options.own, ...this.#readers].map(({ clients }) => clients));
  }

  async #read(path: string): Promise<void> {
    try {
      const { reader, faults, version } = await this.#readStill(path);
      this.#readers.push(reader);
      this.#versions.push(version);
      this.faults.push(...faults.lines);
      this.faultCount += faults.count;
    } catch (error) {
      if (!(error instanceof FileError)) throw error;
      this.faults.push(`${this.#options.place}: cannot read "${path}": ${error.message}`);
      this.faultCount++;
      if (error instanceof FileAccessError) this.isUnreadable = true;
    }
  }

  /** Reads a file until it does not change meanwhile. */
  async #readStill(path: string) {
    for (let attempt = 1;; attempt++) {
      try {
        return await this.#readOnce(path);
      } catch (error) {
        if (!(error instanceof FileChangedError) || attempt === ATTEMPTS) throw error;
        await delay(PAUSE);
      }
    }
  }

  /** @throws {FileError} */
  async #readOnce(path: string) {
    const { own, ttlOf, open, stat, most = MAX_SIZE } = this.#options;
    const faults = new Faults(path);
    const reader = new ClientFileReader({ faults, ttlOf, others: [own, ...this.#readers] });
    const pieces = readLines(path, { most, open, stat });
    const slices = new Slices();
    for (let line = 1;;) {
      const { done, value } = await pieces.next();
      if (done) return { reader, faults, version: value };
      await slices.do(takeLines(reader, value, line));
      line += value.length;
    }
  }
}

function* takeLines(reader: ClientFileReader, lines: readonly string[], first: number): Work {
  for (const [i, line] of lines.entries()) {
    reader.takeLine(line, first + i);
    yield;
  }
}
