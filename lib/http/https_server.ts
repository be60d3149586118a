/**
 * HTTPS whose certificate can change while it serves. A server of Deno's has
 * one certificate forever, and stopping it hangs up on those whose handshake is
 * under way. So the servers listen on loopback, one for each certificate, and
 * every connection to a public port is relayed to the newest, byte by byte.
 */

import type { Certificate } from "./certificate.ts";
import {
  explain,
  type ListenAddress,
  ListenError,
  openServer,
  type Serve,
  type ServerParts,
} from "./http_server.ts";
import { abortableDelay } from "../delay.ts";
import { errorMessage } from "../error_message.ts";

/** Connections without a request under way that are kept; beyond that, the one idle longest is closed. */
const MAX_IDLE = 2000;
const LOOPBACK = "127.0.0.1";
/** Octets: small, as there may be thousands. */
const BUFFER = 2048;
/** Milliseconds until accept is tried again after it failed. */
const PAUSE = 10;

/** A client's connection, and the one on which it is relayed to the server. */
interface Relayed {
  readonly client: Deno.TcpConn;
  readonly server: Deno.TcpConn;
  /** Requests. */
  underWay: number;
}

/** The connections on which no request is under way, the longest idle first. */
class IdleConnections {
  readonly #connections = new Set<Relayed>();

  constructor(readonly max: number) {}

  add(connection: Relayed): void {
    this.#connections.add(connection);
    if (this.#connections.size > this.max) this.closeOldest();
  }

  delete(connection: Relayed): void {
    this.#connections.delete(connection);
  }

  closeOldest(): void {
    for (const connection of this.#connections) {
      this.#connections.delete(connection);
      return close(connection.client);
    }
  }
}

/** One of Deno's servers on loopback, and the connections that are relayed to it. */
class Backend {
  readonly #server: ReturnType<Serve>;
  readonly #handler: ServerParts["handler"];
  readonly #idle: IdleConnections;
  /** By the port that each is relayed from: no others are served. */
  readonly #relayed = new Map<number, Relayed>();
  #clients = 0;
  #isRetired = false;
  /** Resolves when it no longer serves anybody. */
  readonly ended: Promise<void>;

  constructor(readonly certificate: Certificate, parts: ServerParts, idle: IdleConnections) {
    const { cert, key } = certificate;
    this.#handler = parts.handler;
    this.#idle = idle;
    this.#server = openServer({ hostname: LOOPBACK, port: 0, cert, key }, {
      ...parts,
      handler: (request, { remoteAddr }) => this.#answer(request, remoteAddr as Deno.NetAddr),
    });
    // Without file descriptors it stops by itself, which the next connection notices.
    this.ended = this.#server.finished.catch(() => {});
  }

  /** Relays a connection until the server has ended it; throws if the server cannot be reached. */
  async relay(client: Deno.TcpConn): Promise<void> {
    this.#clients++;
    try {
      const server = await Deno.connect({ hostname: LOOPBACK, port: this.#server.addr.port });
      await this.#relay(client, server);
    } finally {
      this.#clients--;
      if (this.#isRetired) this.retire();
    }
  }

  async #relay(client: Deno.TcpConn, server: Deno.TcpConn): Promise<void> {
    const { port } = server.localAddr as Deno.NetAddr;
    const connection = { client, server, underWay: 0 };
    this.#relayed.set(port, connection);
    this.#idle.add(connection);
    try {
      client.setNoDelay();
      server.setNoDelay();
      void copy(client, server).then(() => server.closeWrite()).catch(() => {});
      // Whoever has sent a request may be gone before it is read. Only when the server has ended the
      // connection does nothing more come from it, and its port may be another's.
      await copy(server, client);
    } finally {
      this.#idle.delete(connection);
      this.#relayed.delete(port);
      close(server);
      close(client);
    }
  }

  /** Stops after its last connection. */
  retire(): void {
    this.#isRetired = true;
    if (this.#clients === 0) this.stop();
  }

  /** Closes idle connections, and stops when all requests have been answered. */
  stop(): void {
    this.#server.shutdown().catch(() => {});
  }

  hangUp(): void {
    for (const { client, server } of this.#relayed.values()) {
      close(client);
      close(server);
    }
  }

  async #answer(request: Request, { hostname, port }: Deno.NetAddr): Promise<Response> {
    // Another program on this machine may find the port, and call from the same one of another address.
    const connection = hostname === LOOPBACK ? this.#relayed.get(port) : undefined;
    if (connection === undefined) return new Response(null, { status: 421 });
    this.#idle.delete(connection);
    // With HTTP/2 there may be several.
    connection.underWay++;
    try {
      const remoteAddr = connection.client.remoteAddr as Deno.NetAddr;
      return await this.#handler(request, { remoteAddr });
    } finally {
      connection.underWay--;
      const isOpen = this.#relayed.get(port) === connection;
      if (isOpen && connection.underWay === 0) this.#idle.add(connection);
    }
  }
}

/** Serves HTTPS on any number of public ports, with a certificate that can change. */
export class HttpsServers {
  readonly #parts: ServerParts;
  readonly #idle: IdleConnections;
  readonly #backends = new Set<Backend>();
  #current: Backend;
  #isStopped = false;

  /** @param maxIdle connections without a request under way that are kept */
  constructor(certificate: Certificate, parts: ServerParts, maxIdle = MAX_IDLE) {
    this.#parts = parts;
    this.#idle = new IdleConnections(maxIdle);
    this.#current = this.#open(certificate);
  }

  get certificate(): Certificate {
    return this.#current.certificate;
  }

  /** New connections get this certificate from now on; existing ones continue. */
  replaceCertificate(certificate: Certificate): void {
    const previous = this.#current;
    this.#current = this.#open(certificate);
    previous.retire();
  }

  /**
   * Serves on a public port, until the port is stopped.
   *
   * @throws {ListenError}
   */
  listen(name: string, address: ListenAddress): HttpsPort {
    const port = new HttpsPort(name, address, {
      relay: (client) => void this.#relay(client),
      cannotAccept: (error) => {
        this.#parts.complain(`${name} cannot accept a connection: ${explain(error)}`);
        this.#idle.closeOldest();
      },
    });
    this.#parts.log.info(`listening on ${name}`);
    return port;
  }

  /** Resolves when all requests have been answered. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    for (const backend of this.#backends) backend.stop();
    await Promise.all([...this.#backends].map(({ ended }) => ended));
  }

  /** Closes every connection, even where a request is under way. */
  hangUp(): void {
    for (const backend of this.#backends) backend.hangUp();
  }

  #open(certificate: Certificate): Backend {
    const backend = new Backend(certificate, this.#parts, this.#idle);
    this.#backends.add(backend);
    void backend.ended.then(() => this.#backends.delete(backend));
    return backend;
  }

  async #relay(client: Deno.TcpConn): Promise<void> {
    const backend = this.#current;
    try {
      try {
        await backend.relay(client);
      } catch (error) {
        if (this.#isStopped || !(error instanceof Deno.errors.ConnectionRefused)) throw error;
        if (backend === this.#current) this.replaceCertificate(backend.certificate);
        await this.#current.relay(client);
      }
    } catch (error) {
      close(client);
      if (this.#isStopped) return;
      this.#parts.complain(`https: refused a connection: ${errorMessage(error)}`);
      this.#idle.closeOldest();
    }
  }
}

interface PortEvents {
  relay(client: Deno.TcpConn): void;
  cannotAccept(error: unknown): void;
}

/** A public port: accepts connections, and passes them on. */
class HttpsPort {
  readonly #listener: Deno.TcpListener;
  readonly #stopping = new AbortController();
  readonly #ended: Promise<void>;

  constructor(
    name: string,
    address: ListenAddress,
    on: PortEvents,
  ) {
    try {
      this.#listener = Deno.listen(address);
    } catch (error) {
      throw ListenError.of(name, error);
    }
    this.#ended = this.#accept(on);
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#listener.close();
    await this.#ended;
  }

  async #accept({ relay, cannotAccept }: PortEvents): Promise<void> {
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      try {
        relay(await this.#listener.accept());
      } catch (error) {
        if (signal.aborted) return;
        // It was reset before it was accepted, as port scanners do.
        if (error instanceof Deno.errors.NotConnected) continue;
        cannotAccept(error);
        await abortableDelay(PAUSE, signal);
      }
    }
  }
}

/** Copies everything until it ends; what the other side no longer takes is dropped. */
async function copy(from: Deno.Conn, to: Deno.Conn): Promise<void> {
  const buffer = new Uint8Array(BUFFER);
  let isOpen = true;
  try {
    for (let count; (count = await from.read(buffer)) !== null;) {
      let left = isOpen ? buffer.subarray(0, count) : buffer.subarray(0, 0);
      try {
        while (left.length > 0) left = left.subarray(await to.write(left));
      } catch {
        isOpen = false;
      }
    }
  } catch {
    // Reset, or closed by us.
  }
}

function close(conn: Deno.Conn): void {
  try {
    conn.close();
  } catch {
    // Already closed.
  }
}
