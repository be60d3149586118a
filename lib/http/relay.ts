/** A trusted proxy's connection: kept for many requests, and copied to and from the server. */

import { close, copy } from "./connection.ts";
import type { Line } from "./server.ts";

export interface RelayOptions {
  /** Called whenever the proxy sends something. */
  onRequest: () => void;
  delay: (ms: number) => Promise<unknown>;
}

/** Milliseconds from the proxy's end to that of what it did not ask to the end. */
const UNFINISHED = 5000;

export class Relay {
  readonly #conn: Deno.Conn;
  readonly #line: Line;
  /** Whether something of it went to the server that has not been answered. */
  #hasAsked = false;
  #isEnding = false;
  /** Resolves when it has ended. */
  readonly ended: Promise<void>;

  constructor(conn: Deno.Conn, line: Line, { onRequest, delay }: RelayOptions) {
    this.#conn = conn;
    this.#line = line;
    const forth = copy(conn, line.conn, () => {
      this.#hasAsked = true;
      onRequest();
    });
    void forth.then(async () => {
      this.end();
      await delay(UNFINISHED);
      if (!line.isBusy) line.close();
    });
    this.ended = copy(line.conn, conn, () => {
      this.#hasAsked = line.isBusy;
      if (this.#isEnding) this.end();
    });
  }

  /** Whether no request of it is being answered. */
  get isIdle(): boolean {
    return !this.#hasAsked && !this.#line.isBusy;
  }

  /** Ends it when what was asked is answered. */
  end(): void {
    this.#isEnding = true;
    if (!this.#hasAsked) this.#line.end();
  }

  close(): void {
    this.#line.close();
    close(this.#conn);
  }
}
