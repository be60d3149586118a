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
}

export interface Listeners {
  /** Takes no more connections, answers what was accepted, and after so many ms cuts off the rest. */
  stop(grace: number): Promise<void>;
}

/** A server cannot be started; the message says which, why, and what would help. */
export class ListenError extends Error {
  override name = "ListenError";
}

type Address = { hostname: string; port: number };
type Tls = { cert: string; key: string };

const FIRST_PAUSE = 10;
const LONGEST_PAUSE = 1000;

/**
 * Starts all servers.
 *
 * @throws {ListenError} one cannot be started; then none is left running
 */
export async function listen(
  { http, https, certificate, handler, log }: ListenOptions,
): Promise<Listeners> {
  const servers: SupervisedServer[] = [];
  const stop = (grace: number) => Promise.all(servers.map((server) => server.stop(grace)));
  try {
    for (const endpoint of http) servers.push(...start("http", endpoint, undefined, handler, log));
    const tls = certificate && { cert: certificate.cert, key: certificate.key };
    for (const endpoint of https) servers.push(...start("https", endpoint, tls, handler, log));
  } catch (error) {
    await stop(0);
    throw error;
  }
  return { stop: async (grace) => void await stop(grace) };
}

function start(
  scheme: string,
  { hostname, port }: Endpoint,
  tls: Tls | undefined,
  handler: Handler,
  log: Log,
): SupervisedServer[] {
  const open = (hostname: string) =>
    new SupervisedServer(`${scheme} ${endpointText({ hostname, port })}`, { hostname, port }, tls, {
      handler,
      log,
    });
  if (hostname !== undefined) return [open(hostname)];
  let all;
  try {
    all = open("::");
  } catch (error) {
    // A host without IPv6 has no "::"; where it is the port that is at fault, 0.0.0.0 says so too.
    if (!(error instanceof ListenError)) throw error;
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
  readonly #options: Address;
  readonly #tls: Tls | undefined;
  readonly #handler: Handler;
  readonly #log: Log;
  readonly #abort = new AbortController();
  readonly #ended: Promise<void>;
  #server: Deno.HttpServer | undefined;
  #isStopping = false;

  constructor(
    name: string,
    options: Address,
    tls: Tls | undefined,
    { handler, log }: { handler: Handler; log: Log },
  ) {
    this.#name = name;
    this.#options = options;
    this.#tls = tls;
    this.#handler = handler;
    this.#log = log;
    try {
      this.#server = this.#open();
    } catch (error) {
      throw new ListenError(`${name}: ${explain(error)}`);
    }
    log.info(`listening on ${name}`);
    this.#ended = this.#supervise();
  }

  async stop(grace: number): Promise<void> {
    this.#isStopping = true;
    const timer = setTimeout(() => this.#abort.abort(), grace);
    await this.#server?.shutdown();
    await this.#ended;
    clearTimeout(timer);
  }

  #open(): Deno.HttpServer {
    return Deno.serve({
      ...this.#options,
      ...this.#tls,
      signal: this.#abort.signal,
      onListen: () => {},
      onError: (error) => {
        this.#log.error(`internal error: ${error instanceof Error ? error.message : error}`);
        return new Response("FAIL", { status: 500, headers: { "cache-control": "no-store" } });
      },
    }, this.#handler);
  }

  async #supervise(): Promise<void> {
    let pause = FIRST_PAUSE;
    while (!this.#isStopping) {
      try {
        const started = Date.now();
        await this.#server?.finished;
        if (Date.now() - started > LONGEST_PAUSE) pause = FIRST_PAUSE;
      } catch (error) {
        this.#log.error(`${this.#name} ended: ${explain(error)}; opening it again`);
      }
      if (this.#isStopping) return;
      this.#server = undefined;
      await sleep(pause, this.#abort.signal);
      pause = Math.min(pause * 2, LONGEST_PAUSE);
      try {
        if (!this.#isStopping) this.#server = this.#open();
      } catch (error) {
        this.#log.error(`${this.#name} cannot be opened again: ${explain(error)}`);
      }
    }
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
