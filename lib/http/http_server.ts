/** One of Deno's HTTP servers: started, and restarted if it stops by itself. */

import type { Handler } from "./handler.ts";
import { abortableDelay, delay } from "../delay.ts";
import { errorMessage } from "../error_message.ts";
import type { Log } from "../log.ts";

/** The part of Deno.serve that is used. */
export type Serve = (
  options: Deno.ServeTcpOptions | (Deno.ServeTcpOptions & Deno.TlsCertifiedKeyPem),
  handler: Handler,
) => Pick<Deno.HttpServer<Deno.NetAddr>, "finished" | "shutdown" | "addr">;

/** A server cannot be started; the message says which, why, and what to do. */
export class ListenError extends Error {
  override name = "ListenError";

  static of(name: string, error: unknown): ListenError {
    return new ListenError(`${name}: ${explain(error)}`, { cause: error });
  }
}

export interface ServerParts {
  handler: Handler;
  log: Log;
  /** For what the network can cause at will: the log gets one line a second of all of it. */
  complain: (problem: string) => void;
  serve: Serve;
}

/** Where to listen: an address and a port. */
export type ListenAddress = { readonly hostname: string; readonly port: number };

const FIRST_PAUSE = 10;
const LONGEST_PAUSE = 1000;

/** Starts one of Deno's servers; what the handler throws is a response 500, and a line in the log. */
export function openServer(
  options: ListenAddress & Partial<Deno.TlsCertifiedKeyPem>,
  { handler, log, serve }: ServerParts,
): ReturnType<Serve> {
  return serve({
    ...options,
    onListen: () => {},
    onError: (error) => {
      log.error(`internal error: ${errorMessage(error)}`);
      return new Response("FAIL", { status: 500, headers: { "cache-control": "no-store" } });
    },
  }, handler);
}

/**
 * An HTTP server. Deno's stops by itself when the process runs out of file
 * descriptors; this one restarts it.
 */
export class HttpServer {
  readonly #address: ListenAddress;
  readonly #parts: ServerParts;
  readonly #stopping = new AbortController();
  readonly #ended: Promise<void>;
  readonly #name: string;
  #server: ReturnType<Serve> | undefined;

  /** @throws {ListenError} */
  constructor(name: string, address: ListenAddress, parts: ServerParts) {
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

  /** Accepts no more connections; resolves when all requests have been answered. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await Promise.all([this.#server?.shutdown(), this.#ended]);
  }

  /** Waits until the server stops, and restarts it, with growing pauses while it stops at once. */
  async #supervise(): Promise<void> {
    const { signal } = this.#stopping;
    let pause = FIRST_PAUSE;
    while (!signal.aborted) {
      const started = performance.now();
      if (this.#server !== undefined) {
        const reason = await this.#endOf(this.#server);
        if (signal.aborted) return;
        this.#parts.complain(`${this.#name} stopped: ${reason}; restarting it`);
        this.#server = undefined;
      }
      if (performance.now() - started > LONGEST_PAUSE) pause = FIRST_PAUSE;
      await abortableDelay(pause, signal);
      pause = Math.min(pause * 2, LONGEST_PAUSE);
      try {
        if (!signal.aborted) this.#server = openServer(this.#address, this.#parts);
      } catch (error) {
        this.#parts.complain(`${this.#name} cannot be restarted: ${explain(error)}`);
      }
    }
  }

  /** Waits until the server accepts no more connections; the reason. */
  async #endOf(server: ReturnType<Serve>): Promise<string> {
    const found = new AbortController();
    const signal = AbortSignal.any([found.signal, this.#stopping.signal]);
    try {
      return await Promise.race([
        server.finished.then(() => "it ended", explain),
        this.#refusal(signal),
      ]);
    } finally {
      found.abort();
    }
  }

  /**
   * Where the process runs out of file descriptors, the server stops listening
   * at once, but does not finish before its last connection: whoever holds one
   * would keep everybody out. So it is tried every second.
   */
  async #refusal(signal: AbortSignal): Promise<string> {
    const { hostname, port } = this.#address;
    const own = { "::": "::1", "0.0.0.0": "127.0.0.1" }[hostname] ?? hostname;
    while (!signal.aborted) {
      await delay(LONGEST_PAUSE);
      try {
        if (!signal.aborted) (await Deno.connect({ hostname: own, port })).close();
      } catch (error) {
        if (error instanceof Deno.errors.ConnectionRefused) {
          return "it no longer accepts connections";
        }
      }
    }
    return "";
  }
}

/** Why a port cannot be opened or used, and what to do. */
export function explain(error: unknown): string {
  if (error instanceof Deno.errors.AddrInUse) return "already in use by another program";
  if (error instanceof Deno.errors.PermissionDenied) {
    return "permission denied: ports below 1024 need CAP_NET_BIND_SERVICE";
  }
  if (error instanceof Deno.errors.AddrNotAvailable) return "this machine has no such address";
  return errorMessage(error);
}
