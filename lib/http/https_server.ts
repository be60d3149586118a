/**
 * HTTPS whose certificate can change while it serves. A server of Deno's has
 * one certificate for ever, and ending it hangs up on those whose handshake is
 * under way. So the servers stand on loopback, one for each certificate, and
 * every connection to a public port is carried to the newest, byte by byte.
 */

import type { Certificate } from "./certificate.ts";
import {
  type Address,
  explain,
  ListenError,
  openServer,
  type Serve,
  type ServerParts,
} from "./http_server.ts";
import { sleep } from "../delay.ts";

/** Connections without a request under way that are kept; of more, the oldest is closed. */
const MAX_QUIET = 2000;
const LOOPBACK = "127.0.0.1";
/** Octets: small, as there may be thousands. */
const BUFFER = 2048;
/** Milliseconds until a public port is tried again that could take no connection. */
const PAUSE = 10;

/** A client's connection, and the one on which it is carried to the server. */
interface Carried {
  readonly client: Deno.TcpConn;
  readonly server: Deno.TcpConn;
  /** Requests. */
  underWay: number;
}

/** The connections on which no request is under way, the longest quiet first. */
class Quiet {
  readonly #connections = new Set<Carried>();

  constructor(readonly max: number) {}

  add(connection: Carried): void {
    this.#connections.add(connection);
    if (this.#connections.size > this.max) this.closeOldest();
  }

  delete(connection: Carried): void {
    this.#connections.delete(connection);
  }

  closeOldest(): void {
    for (const connection of this.#connections) {
      this.#connections.delete(connection);
      return close(connection.client);
    }
  }
}

/** A server of Deno's on loopback, and the connections that are carried to it. */
class Backend {
  readonly #server: ReturnType<Serve>;
  readonly #handler: ServerParts["handler"];
  readonly #quiet: Quiet;
  /** By the port that it is carried from: none but these are served. */
  readonly #carried = new Map<number, Carried>();
  #clients = 0;
  #isRetired = false;
  /** When it serves nobody any more. */
  readonly ended: Promise<void>;

  constructor(readonly certificate: Certificate, parts: ServerParts, quiet: Quiet) {
    const { cert, key } = certificate;
    this.#handler = parts.handler;
    this.#quiet = quiet;
    this.#server = openServer({ hostname: LOOPBACK, port: 0, cert, key }, {
      ...parts,
      handler: (request, { remoteAddr }) => this.#answer(request, remoteAddr as Deno.NetAddr),
    });
    // Where file descriptors run out it ends by itself, which the next connection finds.
    this.ended = this.#server.finished.catch(() => {});
  }

  /** Carries a connection until the server has ended it; throws if the server cannot be reached. */
  async carry(client: Deno.TcpConn): Promise<void> {
    this.#clients++;
    try {
      const server = await Deno.connect({ hostname: LOOPBACK, port: this.#server.addr.port });
      await this.#carry(client, server);
    } finally {
      this.#clients--;
      if (this.#isRetired) this.retire();
    }
  }

  async #carry(client: Deno.TcpConn, server: Deno.TcpConn): Promise<void> {
    const { port } = server.localAddr as Deno.NetAddr;
    const connection = { client, server, underWay: 0 };
    this.#carried.set(port, connection);
    this.#quiet.add(connection);
    try {
      client.setNoDelay();
      server.setNoDelay();
      void copy(client, server).then(() => server.closeWrite()).catch(() => {});
      // Whoever has sent a request may be gone before it is read. Only when the server has ended the
      // connection does nothing of it come any more, and its port may be another's.
      await copy(server, client);
    } finally {
      this.#quiet.delete(connection);
      this.#carried.delete(port);
      close(server);
      close(client);
    }
  }

  /** Ends when its last connection has. */
  retire(): void {
    this.#isRetired = true;
    if (this.#clients === 0) this.stop();
  }

  /** Hangs up where nothing is asked, and ends when what is asked is answered. */
  stop(): void {
    this.#server.shutdown().catch(() => {});
  }

  hangUp(): void {
    for (const { client, server } of this.#carried.values()) {
      close(client);
      close(server);
    }
  }

  async #answer(request: Request, { hostname, port }: Deno.NetAddr): Promise<Response> {
    // Another program on this machine may find the port, and have the same one at another address.
    const connection = hostname === LOOPBACK ? this.#carried.get(port) : undefined;
    if (connection === undefined) return new Response(null, { status: 421 });
    this.#quiet.delete(connection);
    // With HTTP/2 there may be several.
    connection.underWay++;
    try {
      const remoteAddr = connection.client.remoteAddr as Deno.NetAddr;
      return await this.#handler(request, { remoteAddr });
    } finally {
      connection.underWay--;
      const isOpen = this.#carried.get(port) === connection;
      if (isOpen && connection.underWay === 0) this.#quiet.add(connection);
    }
  }
}

/** Serves HTTPS behind any number of public ports, with a certificate that can change. */
export class HttpsServers {
  readonly #parts: ServerParts;
  readonly #quiet: Quiet;
  readonly #backends = new Set<Backend>();
  #current: Backend;
  #isStopped = false;

  /** @param maxQuiet connections without a request under way that are kept */
  constructor(certificate: Certificate, parts: ServerParts, maxQuiet = MAX_QUIET) {
    this.#parts = parts;
    this.#quiet = new Quiet(maxQuiet);
    this.#current = this.#open(certificate);
  }

  get certificate(): Certificate {
    return this.#current.certificate;
  }

  /** New connections get this certificate from now on; those that there are go on. */
  use(certificate: Certificate): void {
    const former = this.#current;
    this.#current = this.#open(certificate);
    former.retire();
  }

  /**
   * Serves at a public port, until the port is stopped.
   *
   * @throws {ListenError}
   */
  listen(name: string, address: Address): HttpsPort {
    const port = new HttpsPort(name, address, {
      carry: (client) => void this.#carry(client),
      cannotAccept: (error) => {
        this.#parts.complain(`${name} cannot take a connection: ${explain(error)}`);
        this.#quiet.closeOldest();
      },
    });
    this.#parts.log.info(`listening on ${name}`);
    return port;
  }

  /** Resolves when what was asked is answered. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    for (const backend of this.#backends) backend.stop();
    await Promise.all([...this.#backends].map(({ ended }) => ended));
  }

  /** Ends every connection, whatever is under way. */
  hangUp(): void {
    for (const backend of this.#backends) backend.hangUp();
  }

  #open(certificate: Certificate): Backend {
    const backend = new Backend(certificate, this.#parts, this.#quiet);
    this.#backends.add(backend);
    void backend.ended.then(() => this.#backends.delete(backend));
    return backend;
  }

  async #carry(client: Deno.TcpConn): Promise<void> {
    const backend = this.#current;
    try {
      try {
        await backend.carry(client);
      } catch (error) {
        if (this.#isStopped || !(error instanceof Deno.errors.ConnectionRefused)) throw error;
        if (backend === this.#current) this.use(backend.certificate);
        await this.#current.carry(client);
      }
    } catch (error) {
      close(client);
      if (this.#isStopped) return;
      const reason = error instanceof Error ? error.message : error;
      this.#parts.complain(`https: a connection was turned away: ${reason}`);
      this.#quiet.closeOldest();
    }
  }
}

interface PortEvents {
  carry(client: Deno.TcpConn): void;
  cannotAccept(error: unknown): void;
}

/** A public port: takes connections, and hands them on. */
class HttpsPort {
  readonly #listener: Deno.TcpListener;
  readonly #stopping = new AbortController();
  readonly #ended: Promise<void>;

  constructor(
    name: string,
    address: Address,
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

  async #accept({ carry, cannotAccept }: PortEvents): Promise<void> {
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      try {
        carry(await this.#listener.accept());
      } catch (error) {
        if (signal.aborted) return;
        // It was reset before it was taken, as port scanners do.
        if (error instanceof Deno.errors.NotConnected) continue;
        cannotAccept(error);
        await sleep(PAUSE, signal);
      }
    }
  }
}

/** Copies what comes until the end of it; what nobody takes any more is dropped. */
async function copy(from: Deno.Conn, to: Deno.Conn): Promise<void> {
  const buffer = new Uint8Array(BUFFER);
  let isTaken = true;
  try {
    for (let count; (count = await from.read(buffer)) !== null;) {
      let left = isTaken ? buffer.subarray(0, count) : buffer.subarray(0, 0);
      try {
        while (left.length > 0) left = left.subarray(await to.write(left));
      } catch {
        isTaken = false;
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
    // It is closed already.
  }
}
