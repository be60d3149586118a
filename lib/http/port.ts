/** A public port: it listens, and hands each connection to the front door. */

import type { Certificate } from "./certificate.ts";
import { close, copy } from "./connection.ts";
import { delay } from "../delay.ts";
import { errorMessage } from "../error_message.ts";
import type { FrontDoor } from "./front_door.ts";
import type { Log } from "../log.ts";

/** A port cannot be opened; the message says which, why, and what to do. */
export class ListenError extends Error {
  override name = "ListenError";

  static of(name: string, error: unknown): ListenError {
    return new ListenError(`${name}: ${explain(error)}`, { cause: error });
  }
}

/** Where to listen: an address and a port. */
export type ListenAddress = { readonly hostname: string; readonly port: number };

export interface PortParts {
  door: Pick<FrontDoor, "admit" | "makeRoom">;
  log: Pick<Log, "info">;
  /** For what the network can cause at will. */
  complain: (problem: string) => void;
  /** Milliseconds, of a clock that nobody sets. */
  now?: () => number;
}

const LOOPBACK = "127.0.0.1";
/** Milliseconds until it is tried again to accept, or to open a port that must be opened. */
const PAUSE = 20;
/** Milliseconds that a change waits for a port to be open again. */
const PATIENCE = 1000;
/**
 * Connections that were ended within their TLS handshake, and that Deno keeps until the
 * other end does something: with more than so many, handshakes take the detour.
 */
const MAX_STUCK = 64;
/** Milliseconds that the detour is taken at least. */
const DETOUR = 600_000;
/** Milliseconds that the end of an answer has on the detour, once the door has closed its side. */
const FLUSH = 1000;
/** No HTTP/2: its cost for a server has no bound that could be set here. */
const PROTOCOLS = ["http/1.1", "http/1.0"];

/** What a port does until it is closed. */
class Accepting {
  #isClosed = false;
  readonly #ended: Promise<void>;

  constructor(
    readonly listener: Deno.Listener<Deno.TcpConn | Deno.TlsConn>,
    take: (conn: Deno.TcpConn | Deno.TlsConn) => void | Promise<void>,
    onFault: (error: unknown) => void,
  ) {
    this.#ended = this.#accept(take, onFault);
  }

  /** Resolves when the port is free: while accept is pending, it is not. */
  async close(): Promise<void> {
    this.#isClosed = true;
    close(this.listener);
    await this.#ended;
  }

  async #accept(
    take: (conn: Deno.TcpConn | Deno.TlsConn) => void | Promise<void>,
    onFault: (error: unknown) => void,
  ): Promise<void> {
    while (!this.#isClosed) {
      try {
        const conn = await this.listener.accept();
        if (this.#isClosed) close(conn);
        else await take(conn);
      } catch (error) {
        if (this.#isClosed) return;
        // It was reset before it was accepted, as port scanners do.
        if (error instanceof Deno.errors.NotConnected) continue;
        onFault(error);
        await delay(PAUSE);
      }
    }
  }
}

/** One port of one address, and what it speaks. */
export abstract class Port {
  constructor(readonly name: string, readonly address: ListenAddress, readonly parts: PortParts) {}

  /** Resolves when nothing listens there any more. */
  abstract stop(): Promise<void>;

  protected open<T>(run: () => T): T {
    try {
      const opened = run();
      this.parts.log.info(`listening on ${this.name}`, { event: "listening" });
      return opened;
    } catch (error) {
      throw ListenError.of(this.name, error);
    }
  }

  protected cannotAccept(error: unknown): void {
    this.parts.complain(`${this.name} cannot accept a connection: ${explain(error)}`);
    this.parts.door.makeRoom();
  }
}

export class HttpPort extends Port {
  readonly #accepting: Accepting;

  /** @throws {ListenError} */
  constructor(name: string, address: ListenAddress, parts: PortParts) {
    super(name, address, parts);
    this.#accepting = this.open(() =>
      new Accepting(
        Deno.listen(address),
        (conn) => {
          const address = conn.remoteAddr as Deno.NetAddr;
          parts.door.admit(conn, { address, abandon: () => close(conn) });
        },
        (error) => this.cannotAccept(error),
      )
    );
  }

  override stop(): Promise<void> {
    return this.#accepting.close();
  }
}

/**
 * Deno ends no TLS connection before its handshake is finished: closed earlier, it
 * stays until the other end does something. Where that is used against us, new
 * connections take a detour: what comes to the public port is copied, octet by octet,
 * to a TLS listener on loopback, and the public side of that can be closed at any time.
 */
export class HttpsPort extends Port {
  #certificate: Certificate;
  #accepting: Accepting;
  /** The TLS listener on loopback. */
  #inner: Deno.TlsListener | undefined;
  #stuck = 0;
  /** Until when the detour is taken at least. */
  #detourUntil = 0;
  #isStopped = false;
  readonly #now: () => number;
  /** Reopenings come one after the other. */
  #turn: Promise<void> = Promise.resolve();

  /** @throws {ListenError} */
  constructor(name: string, address: ListenAddress, parts: PortParts, certificate: Certificate) {
    super(name, address, parts);
    this.#certificate = certificate;
    this.#now = parts.now ?? (() => performance.now());
    this.#accepting = this.open(() => this.#listenDirectly());
  }

  /**
   * New connections get this certificate, about a millisecond later; the others continue.
   * Where the port cannot be opened again, it is tried on without anybody waiting for it.
   */
  async setCertificate(certificate: Certificate): Promise<void> {
    this.#certificate = certificate;
    await Promise.race([this.#reopen(), delay(PATIENCE)]);
  }

  override async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#turn;
    await this.#close();
  }

  get #isOnDetour(): boolean {
    return this.#detourUntil > 0;
  }

  #reopen(): Promise<void> {
    return this.#turn = this.#turn.then(async () => {
      for (let tries = 1; !this.#isStopped; tries++) {
        await this.#close();
        try {
          this.#accepting = this.#isOnDetour ? this.#listenOnDetour() : this.#listenDirectly();
          return;
        } catch (error) {
          // A program that is being started has the port, too, until it runs.
          if (tries > 1) {
            this.parts.complain(`${this.name} cannot be opened again: ${explain(error)}`);
            this.parts.door.makeRoom();
          }
          await delay(PAUSE);
        }
      }
    });
  }

  async #close(): Promise<void> {
    await this.#accepting.close();
    if (this.#inner !== undefined) close(this.#inner);
    this.#inner = undefined;
  }

  #listenTls(address: ListenAddress): Deno.TlsListener {
    const { cert, key } = this.#certificate;
    return Deno.listenTls({ ...address, cert, key, alpnProtocols: PROTOCOLS });
  }

  #listenDirectly(): Accepting {
    return new Accepting(
      this.#listenTls(this.address),
      (conn) => {
        const address = conn.remoteAddr as Deno.NetAddr;
        const abandon = () => this.#abandon(conn as Deno.TlsConn);
        this.parts.door.admit(conn, { address, abandon });
        // Only now: those that were ended behind their handshake have gone meanwhile.
        if (this.#stuck <= MAX_STUCK || this.#isOnDetour) return;
        this.#detourUntil = this.#now() + DETOUR;
        void this.#reopen();
      },
      (error) => this.cannotAccept(error),
    );
  }

  #abandon(conn: Deno.TlsConn): void {
    this.#stuck++;
    void conn.handshake().catch(() => {}).then(() => {
      this.#stuck--;
      close(conn);
    });
  }

  #listenOnDetour(): Accepting {
    const inner = this.#listenTls({ hostname: LOOPBACK, port: 0 });
    this.#inner = inner;
    return new Accepting(
      Deno.listen(this.address),
      (conn) => {
        if (this.#stuck < MAX_STUCK / 2 && this.#now() > this.#detourUntil) {
          this.#detourUntil = 0;
          void this.#reopen();
        }
        // One at a time: those on their way are counted by nobody.
        return this.#detour(conn as Deno.TcpConn, inner);
      },
      (error) => this.cannotAccept(error),
    );
  }

  async #detour(outer: Deno.TcpConn, listener: Deno.TlsListener): Promise<void> {
    let near: Deno.TcpConn | undefined;
    try {
      near = await Deno.connect({ ...listener.addr as Deno.NetAddr, transport: "tcp" });
      const inner = await acceptFrom(listener, near);
      const isOver = Promise.withResolvers<void>();
      void carry(outer, near, isOver.promise);
      this.parts.door.admit(inner, {
        address: outer.remoteAddr as Deno.NetAddr,
        abandon: () => {
          for (const conn of [outer, inner]) close(conn);
          isOver.resolve();
        },
        onClose: isOver.resolve,
      });
    } catch (error) {
      close(outer);
      if (near !== undefined) close(near);
      if (!this.#isStopped) this.cannotAccept(error);
    }
  }
}

/** Accepts this connection of ours; whoever else comes to the port is closed. */
async function acceptFrom(
  listener: Deno.TlsListener,
  near: Deno.TcpConn,
): Promise<Deno.TlsConn> {
  const { port } = near.localAddr as Deno.NetAddr;
  while (true) {
    const inner = await listener.accept();
    const peer = inner.remoteAddr as Deno.NetAddr;
    if (peer.hostname === LOOPBACK && peer.port === port) return inner;
    close(inner);
  }
}

/**
 * Copies in both directions; what one side ends is ended on the other one.
 *
 * @param isOver when the door has closed its side, so that nobody stays here uncounted
 */
async function carry(
  outer: Deno.TcpConn,
  near: Deno.TcpConn,
  isOver: Promise<void>,
): Promise<void> {
  near.setNoDelay();
  outer.setNoDelay();
  const endOf = (conn: Deno.TcpConn) => conn.closeWrite().catch(() => {});
  void copy(outer, near).then(() => endOf(near));
  // Somebody may take nothing of it.
  await Promise.race([copy(near, outer), isOver.then(() => delay(FLUSH))]);
  // Closed at once, what the client still sends would make a reset that the answer may not survive.
  await endOf(outer);
  await isOver;
  close(near);
  close(outer);
}

/** Whether the port is already in use. */
export function isTaken(error: unknown): boolean {
  return error instanceof ListenError && error.cause instanceof Deno.errors.AddrInUse;
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
