/** The HTTP and HTTPS servers: started, opened again if they end, stopped. */

import type { Certificate } from "./certificate.ts";
import { type Endpoint, endpointText } from "./endpoint.ts";
import type { Handler } from "./handler.ts";
import type { Log } from "./log.ts";

export interface ListenOptions {
  http: readonly Endpoint[];
  https: readonly Endpoint[];
  /** Needed for https. */
  certificate: Certificate | undefined;
  handler: Handler;
  log: Log;
  serve?: Serve;
}

/** What is used of Deno.serve. */
export type Serve = (
  options: Deno.ServeTcpOptions | (Deno.ServeTcpOptions & Deno.TlsCertifiedKeyPem),
  handler: Handler,
) => Pick<Deno.HttpServer, "finished" | "shutdown">;

export interface Listeners {
  /**
   * Takes no more connections and answers what was accepted. What is not
   * answered after so many ms is left to the end of the process.
   */
  stop(grace: number): Promise<void>;
}

/** A server cannot be started; the message says which, why, and what would help. */
export class ListenError extends Error {
  override name = "ListenError";
}

type Tls = { cert: string; key: string };
type Address = { hostname: string; port: number } & Partial<Tls>;
type Parts = Required<Pick<ListenOptions, "handler" | "log" | "serve">>;

const FIRST_PAUSE = 10;
const LONGEST_PAUSE = 1000;

/**
 * Starts all servers.
 *
 * @throws {ListenError} one cannot be started; then none is left running
 */
export async function listen(
  { http, https, certificate, handler, log, serve = Deno.serve }: ListenOptions,
): Promise<Listeners> {
  const parts = { handler, log, serve };
  const servers: SupervisedServer[] = [];
  const stop = (grace: number) => Promise.all(servers.map((server) => server.stop(grace)));
  try {
    for (const endpoint of http) servers.push(...start("http", endpoint, undefined, parts));
    const tls = certificate && { cert: certificate.cert, key: certificate.key };
    for (const endpoint of https) servers.push(...start("https", endpoint, tls, parts));
  } catch (error) {
    await stop(FIRST_PAUSE);
    throw error;
  }
  return { stop: async (grace) => void await stop(grace) };
}

function start(
  scheme: string,
  { hostname, port }: Endpoint,
  tls: Tls | undefined,
  parts: Parts,
): SupervisedServer[] {
  const open = (hostname: string) => {
    const name = `${scheme} ${endpointText({ hostname, port })}`;
    return new SupervisedServer(name, { hostname, port, ...tls }, parts);
  };
  if (hostname !== undefined) return [open(hostname)];
  let all;
  try {
    all = open("::");
  } catch (error) {
    // A host without IPv6 has no "::"; where it is the port that is at fault, 0.0.0.0 says so too.
    const isTaken = (error as Error).cause instanceof Deno.errors.AddrInUse;
    if (!(error instanceof ListenError) || isTaken) throw error;
    return [open("0.0.0.0")];
  }
  try {
    // Where net.ipv6.bindv6only is set, "::" does not take IPv4.
    return [all, open("0.0.0.0")];
  } catch {
    return [all];
  }
}

/**
 * One server. Deno's ends by itself when the process runs out of file
 * descriptors; this one opens it again.
 */
class SupervisedServer {
  readonly #name: string;
  readonly #address: Address;
  readonly #parts: Parts;
  readonly #stopping = new AbortController();
  readonly #ended: Promise<void>;
  #server: ReturnType<Serve> | undefined;
  #complainedAt = -Infinity;

  constructor(name: string, address: Address, parts: Parts) {
    this.#name = name;
    this.#address = address;
    this.#parts = parts;
    try {
      this.#server = this.#open();
    } catch (error) {
      throw new ListenError(`${name}: ${explain(error)}`, { cause: error });
    }
    parts.log.info(`listening on ${name}`);
    this.#ended = this.#supervise();
  }

  async stop(grace: number): Promise<void> {
    this.#stopping.abort();
    const over = Promise.withResolvers<void>();
    const timer = setTimeout(over.resolve, grace);
    await Promise.race([Promise.all([this.#server?.shutdown(), this.#ended]), over.promise]);
    clearTimeout(timer);
  }

  #open(): ReturnType<Serve> {
    const { handler, log, serve } = this.#parts;
    return serve({
      ...this.#address,
      onListen: () => {},
      onError: (error) => {
        log.error(`internal error: ${error instanceof Error ? error.message : error}`);
        return new Response("FAIL", { status: 500, headers: { "cache-control": "no-store" } });
      },
    }, handler);
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
        this.#complain(`ended: ${reason}; opening it again`);
        this.#server = undefined;
      }
      if (performance.now() - started > LONGEST_PAUSE) pause = FIRST_PAUSE;
      await sleep(pause, signal);
      pause = Math.min(pause * 2, LONGEST_PAUSE);
      try {
        if (!signal.aborted) this.#server = this.#open();
      } catch (error) {
        this.#complain(`cannot be opened again: ${explain(error)}`);
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
      await sleep(LONGEST_PAUSE, signal);
      try {
        if (!signal.aborted) (await Deno.connect({ hostname: own, port })).close();
      } catch (error) {
        if (error instanceof Deno.errors.ConnectionRefused) return "it listens no more";
      }
    }
    return "";
  }

  /** Once a second at the most. */
  #complain(problem: string): void {
    const now = performance.now();
    if (now - this.#complainedAt < LONGEST_PAUSE) return;
    this.#complainedAt = now;
    this.#parts.log.error(`${this.#name} ${problem}`);
  }
}

function sleep(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener("abort", done);
  });
}

function explain(error: unknown): string {
  if (error instanceof Deno.errors.AddrInUse) return "another program listens there already";
  if (error instanceof Deno.errors.PermissionDenied) {
    return "no right to open it: ports below 1024 need CAP_NET_BIND_SERVICE";
  }
  if (error instanceof Deno.errors.AddrNotAvailable) return "this machine has no such address";
  return error instanceof Error ? error.message : String(error);
}
