/** The HTTP and HTTPS servers: started, changed while they serve, stopped. */

import { type Certificate, isSameCertificate } from "./certificate.ts";
import { type Endpoint, endpointText } from "../endpoint.ts";
import { explain, HttpServer, ListenError, type Serve, type ServerParts } from "./http_server.ts";
import { HttpsServers } from "./https_server.ts";
import { limitRate } from "../log.ts";

export { ListenError, type Serve };

/** Where to listen. */
export interface Wanted {
  http: readonly Endpoint[];
  https: readonly Endpoint[];
  /** Needed for https. */
  certificate: Certificate | undefined;
}

export interface ListenOptions extends Wanted, Pick<ServerParts, "handler" | "log"> {
  serve?: Serve;
}

export interface Listeners {
  /**
   * Starts what is new and stops what is no longer wanted; the rest is not
   * touched. A new certificate is for new connections.
   *
   * @throws {ListenError} one cannot be started; then everything is as before
   */
  update(wanted: Wanted): Promise<void>;
  /**
   * Accepts no more connections and answers the requests that are under way.
   * After so many milliseconds it waits no longer.
   */
  stop(grace: number): Promise<void>;
}

type Stoppable = Pick<HttpServer, "stop">;

/** One entry of `http` or `https`. */
interface Listener {
  readonly scheme: "http" | "https";
  readonly endpoint: Endpoint;
}

/** Milliseconds that a port which another of our servers gives up may take to become free. */
const HANDOVER = 1000;

/**
 * Starts all servers.
 *
 * @throws {ListenError} one cannot be started; then none is left running
 */
export async function listen(
  { handler, log, serve = Deno.serve, ...wanted }: ListenOptions,
): Promise<Listeners> {
  const servers = new Servers({ handler, log, complain: limitRate(log.error), serve });
  try {
    await servers.update(wanted);
  } catch (error) {
    await servers.stop(0);
    throw error;
  }
  return servers;
}

class Servers implements Listeners {
  readonly #parts: ServerParts;
  /** By scheme and endpoint. */
  readonly #listeners = new Map<string, Listener & { servers: Stoppable[] }>();
  /** Those that are stopping and still answer. */
  readonly #ending = new Set<Promise<unknown>>();
  #https: HttpsServers | undefined;

  constructor(parts: ServerParts) {
    this.#parts = parts;
  }

  async update({ http, https, certificate }: Wanted): Promise<void> {
    const wanted = new Map<string, Listener>();
    for (const [scheme, endpoints] of [["http", http], ["https", https]] as const) {
      for (const endpoint of endpoints) {
        wanted.set(`${scheme} ${endpointText(endpoint)}`, { scheme, endpoint });
      }
    }
    const gone = [...this.#listeners].filter(([name]) => !wanted.has(name));
    const fresh = [...wanted].filter(([name]) => !this.#listeners.has(name));
    const inUse = (listener: Listener) =>
      gone.some(([, { endpoint }]) => endpoint.port === listener.endpoint.port);
    const previous = this.#https?.certificate;
    try {
      if (https.length > 0) this.#setCertificate(certificate!);
      for (const [name, listener] of fresh) if (!inUse(listener)) this.#start(name, listener);
      for (const [name] of gone) this.#stop(name);
      for (const [name, listener] of fresh) if (inUse(listener)) await this.#take(name, listener);
    } catch (error) {
      for (const [name] of fresh) this.#stop(name);
      for (const [name, listener] of gone) {
        if (!this.#listeners.has(name)) await this.#restore(() => this.#take(name, listener));
      }
      if (previous !== undefined) await this.#restore(() => this.#setCertificate(previous));
      throw error;
    } finally {
      this.#endUnusedHttps();
    }
  }

  async #restore(attempt: () => void | Promise<void>): Promise<void> {
    try {
      await attempt();
    } catch (error) {
      this.#parts.log.error(`cannot restore a previous listener: ${explain(error)}`);
    }
  }

  async stop(grace: number): Promise<void> {
    for (const name of this.#listeners.keys()) this.#stop(name);
    const https = this.#https;
    this.#endUnusedHttps();
    const over = Promise.withResolvers<void>();
    const timer = setTimeout(over.resolve, grace);
    await Promise.race([Promise.all(this.#ending), over.promise]);
    clearTimeout(timer);
    https?.hangUp();
  }

  #setCertificate(certificate: Certificate): void {
    try {
      if (this.#https === undefined) this.#https = new HttpsServers(certificate, this.#parts);
      else if (!isSameCertificate(certificate, this.#https.certificate)) {
        this.#https.replaceCertificate(certificate);
      }
    } catch (error) {
      throw ListenError.of("https", error);
    }
  }

  #endUnusedHttps(): void {
    if ([...this.#listeners.values()].some(({ scheme }) => scheme === "https")) return;
    if (this.#https !== undefined) this.#end(this.#https);
    this.#https = undefined;
  }

  #stop(name: string): void {
    for (const server of this.#listeners.get(name)?.servers ?? []) this.#end(server);
    this.#listeners.delete(name);
  }

  #end(server: Stoppable): void {
    const ending = server.stop().finally(() => this.#ending.delete(ending));
    this.#ending.add(ending);
  }

  /** Starts a server on a port that another of ours is just giving up. */
  async #take(name: string, listener: Listener): Promise<void> {
    for (const deadline = performance.now() + HANDOVER;;) {
      try {
        return this.#start(name, listener);
      } catch (error) {
        if (!isTaken(error) || performance.now() > deadline) throw error;
        await new Promise((resolve) => setTimeout(resolve, 1));
      }
    }
  }

  #start(name: string, listener: Listener): void {
    const { scheme, endpoint: { hostname, port } } = listener;
    const open = (hostname: string): Stoppable => {
      const name = `${scheme} ${endpointText({ hostname, port })}`;
      return scheme === "https"
        ? this.#https!.listen(name, { hostname, port })
        : new HttpServer(name, { hostname, port }, this.#parts);
    };
    const servers = hostname === undefined ? openAll(open) : [open(hostname)];
    this.#listeners.set(name, { ...listener, servers });
  }
}

/** Whether the port is already in use. */
function isTaken(error: unknown): boolean {
  return error instanceof ListenError && error.cause instanceof Deno.errors.AddrInUse;
}

/** Listens on every address of both families. */
function openAll(open: (hostname: string) => Stoppable): Stoppable[] {
  let all;
  try {
    all = open("::");
  } catch (error) {
    // A host without IPv6 has no "::"; if the port is the problem, 0.0.0.0 fails too.
    if (!(error instanceof ListenError) || isTaken(error)) throw error;
    return [open("0.0.0.0")];
  }
  try {
    // Where net.ipv6.bindv6only is set, "::" does not accept IPv4.
    return [all, open("0.0.0.0")];
  } catch {
    return [all];
  }
}
