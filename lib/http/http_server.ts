/** One of Deno's HTTP servers: started, and opened again if it ends by itself. */

import type { Handler } from "./handler.ts";
import type { Log } from "../log.ts";
import { pass, sleep } from "../delay.ts";

/** What is used of Deno.serve. */
export type Serve = (
  options: Deno.ServeTcpOptions | (Deno.ServeTcpOptions & Deno.TlsCertifiedKeyPem),
  handler: Handler,
) => Pick<Deno.HttpServer<Deno.NetAddr>, "finished" | "shutdown" | "addr">;

/** A server cannot be started; the message says which, why, and what would help. */
export class ListenError extends Error {
  override name = "ListenError";

  static of(name: string, error: unknown): ListenError {
    return new ListenError(`${name}: ${explain(error)}`, { cause: error });
  }
}

export interface ServerParts {
  handler: Handler;
  log: Log;
  /** For what the network can make happen at will: the log gets one line a second of all. */
  complain: (problem: string) => void;
  serve: Serve;
}

export type Address = { readonly hostname: string; readonly port: number };

const FIRST_PAUSE = 10;
const LONGEST_PAUSE = 1000;

/** Starts a server of Deno's; what the handler throws is its answer 500, and a line in the log. */
export function openServer(
  options: Address & Partial<Deno.TlsCertifiedKeyPem>,
  { handler, log, serve }: ServerParts,
): ReturnType<Serve> {
  return serve({
    ...options,
    onListen: () => {},
    onError: (error) => {
      log.error(`internal error: ${error instanceof Error ? error.message : error}`);
      return new Response("FAIL", { status: 500, headers: { "cache-control": "no-store" } });
    },
  }, handler);
}

/**
 * A server for HTTP. Deno's ends by itself when the process runs out of file
 * descriptors; this one opens it again.
 */
export class HttpServer {
  readonly #address: Address;
  readonly #parts: ServerParts;
  readonly #stopping = new AbortController();
  readonly #ended: Promise<void>;
  readonly #name: string;
  #server: ReturnType<Serve> | undefined;

  /** @throws {ListenError} */
  constructor(name: string, address: Address, parts: ServerParts) {
    this.#address = address;
    this.#parts = parts;
    this.#name = name;
    try {
      this.#server = openServer(address, parts);
    } catch (error) {
      throw ListenError.of(name, error);
    }
    parts.log.info(`listening on ${name}`);
    this.#ended = this.#supervise();
  }

  /** Takes no more connections; resolves when what was accepted is answered. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await Promise.all([this.#server?.shutdown(), this.#ended]);
  }

  /** Waits for the server's end, and opens it again, with pauses that grow while it ends at once. */
  async #supervise(): Promise<void> {
    const { signal } = this.#stopping;
    let pause = FIRST_PAUSE;
    while (!signal.aborted) {
      const started = performance.now();
      if (this.#server !== undefined) {
        const reason = await this.#endOf(this.#server);
        if (signal.aborted) return;
        this.#parts.complain(`${this.#name} ended: ${reason}; opening it again`);
        this.#server = undefined;
      }
      if (performance.now() - started > LONGEST_PAUSE) pause = FIRST_PAUSE;
      await sleep(pause, signal);
      pause = Math.min(pause * 2, LONGEST_PAUSE);
      try {
        if (!signal.aborted) this.#server = openServer(this.#address, this.#parts);
      } catch (error) {
        this.#parts.complain(`${this.#name} cannot be opened again: ${explain(error)}`);
      }
    }
  }

  /** Waits until the server takes no more connections; why it does not. */
  async #endOf(server: ReturnType<Serve>): Promise<string> {
    const found = new AbortController();
    const signal = AbortSignal.any([found.signal, this.#stopping.signal]);
    try {
      return await Promise.race([
        server.finished.then(() => "it stopped", explain),
        this.#refusal(signal),
      ]);
    } finally {
      found.abort();
    }
  }

  /**
   * Where the process runs out of file descriptors, the server stops listening
   * at once, but is not finished before its last connection is: whoever holds
   * one would keep everybody out. So it is tried every second.
   */
  async #refusal(signal: AbortSignal): Promise<string> {
    const { hostname, port } = this.#address;
    const own = { "::": "::1", "0.0.0.0": "127.0.0.1" }[hostname] ?? hostname;
    while (!signal.aborted) {
      await pass(LONGEST_PAUSE);
      try {
        if (!signal.aborted) (await Deno.connect({ hostname: own, port })).close();
      } catch (error) {
        if (error instanceof Deno.errors.ConnectionRefused) return "it listens no more";
      }
    }
    return "";
  }
}

/** Why a port cannot be opened or used. */
export function explain(error: unknown): string {
  if (error instanceof Deno.errors.AddrInUse) return "another program listens there already";
  if (error instanceof Deno.errors.PermissionDenied) {
    return "no right to open it: ports below 1024 need CAP_NET_BIND_SERVICE";
  }
  if (error instanceof Deno.errors.AddrNotAvailable) return "this machine has no such address";
  return error instanceof Error ? error.message : String(error);
}
