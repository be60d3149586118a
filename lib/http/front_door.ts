/**
 * The front door: everybody who comes from the network comes through here, HTTP and
 * HTTPS alike. A stranger's connection is for one request, whose head has to come
 * soon and be small, and nothing else of it gets in. A trusted proxy's connection
 * is relayed whole.
 */

import { STATUS_TEXT } from "@std/http/status";
import { isInAny, type Network, parseAddress } from "../address.ts";
import { close, writeAll } from "./connection.ts";
import { count } from "../count.ts";
import { delay } from "../delay.ts";
import { errorMessage } from "../error_message.ts";
import {
  endOfEmptyLines,
  endOfHead,
  MAX_HEAD,
  parseHead,
  type Refusal,
  type RequestHead,
} from "./request_head.ts";
import { Relay } from "./relay.ts";
import type { Server } from "./server.ts";
import { holderOf, type Visitor, Visitors } from "./visitors.ts";

export interface DoorSettings {
  /** Their connections are kept, and not counted with the others. */
  trustedProxies: readonly Network[];
  /** Connections at a time: so many of strangers, and so many of proxies. */
  maxConnections: number;
}

export interface FrontDoorOptions extends DoorSettings {
  server: Pick<Server, "answer" | "open">;
  /** Both are for what the network can cause at will: the first for what is refused. */
  warn: (problem: string) => void;
  complain: (problem: string) => void;
  now?: () => number;
  delay?: (ms: number) => Promise<unknown>;
}

/** How a connection came in. */
export interface Entrance {
  /** Of the other end. */
  address: { readonly hostname: string };
  /** Ends the connection although no request has come. */
  abandon: () => void;
}

/** Milliseconds from accept to the end of the head, a TLS handshake included. */
const HEAD_TIME = 10_000;
/** Milliseconds that somebody has to take the answer. */
const ANSWER_TIME = 5000;
/** Milliseconds between two looks at who is late. */
const LOOK = 500;
/** How often a request is given to the server that could not answer it. */
const MAX_TRIES = 3;
/** Octets of a head as a rule. */
const USUAL_HEAD = 2048;
/** Buffers that are kept for the next connection. */
const MAX_BUFFERS = 64;
/** Octets that are read of what nobody wants, so that the answer is not lost by a reset. */
const MAX_REST = 64 * 1024;

/** A stranger's connection. */
class Guest implements Visitor {
  /** What comes next: the head of its request, the answer to it, or its end. */
  next: "head" | "answer" | "end" = "head";
  hasLeft = false;

  /** @param deadline when it is ended unless it goes on; undefined while its request is answered */
  constructor(
    readonly conn: Deno.Conn,
    readonly entrance: Entrance,
    readonly holder: string,
    public deadline: number | undefined,
  ) {}

  get isWaiting(): boolean {
    return this.next !== "answer";
  }

  leave(): void {
    if (this.hasLeft) return;
    this.hasLeft = true;
    if (this.next === "head") this.entrance.abandon();
    else close(this.conn);
  }
}

export class FrontDoor {
  readonly #server: FrontDoorOptions["server"];
  readonly #warn: FrontDoorOptions["warn"];
  readonly #complain: FrontDoorOptions["complain"];
  readonly #now: () => number;
  readonly #delay: (ms: number) => Promise<unknown>;
  readonly #guests: Visitors<Guest>;
  /** The longest without a request first. */
  readonly #relays = new Map<Relay, Entrance>();
  /** Proxies' connections that are not relayed yet. */
  #coming = 0;
  readonly #buffers: Uint8Array<ArrayBuffer>[] = [];
  #settings: DoorSettings;
  #isLooking = false;
  #isStopping = false;
  #onEmpty = () => {};

  constructor(
    { server, warn, complain, now = () => performance.now(), delay: wait = delay, ...settings }:
      FrontDoorOptions,
  ) {
    this.#server = server;
    this.#warn = warn;
    this.#complain = complain;
    this.#now = now;
    this.#delay = wait;
    this.#settings = settings;
    this.#guests = new Visitors(settings.maxConnections);
  }

  /** Applies to those who come from now on; connections of proxies that are none any more are ended. */
  set settings(settings: DoorSettings) {
    this.#settings = settings;
    this.#guests.max = settings.maxConnections;
    for (const [relay, { address }] of this.#relays) {
      if (!this.#isProxy(address.hostname)) relay.end();
    }
  }

  /** Serves a connection that was accepted, to its end. */
  admit(conn: Deno.Conn, entrance: Entrance): void {
    const { hostname } = entrance.address;
    if (this.#isStopping) entrance.abandon();
    else if (this.#isProxy(hostname)) void this.#relay(conn, entrance);
    else this.#welcome(new Guest(conn, entrance, holderOf(hostname), this.#now() + HEAD_TIME));
  }

  /** Where nothing more can be opened, somebody who only waits has to go. */
  makeRoom(): boolean {
    return this.#guests.makeRoom() !== undefined || this.#endIdle();
  }

  /**
   * Lets nobody in any more, ends what has no request, and resolves when all
   * requests have been answered.
   */
  async stop(): Promise<void> {
    this.#isStopping = true;
    const empty = new Promise<void>((resolve) => this.#onEmpty = resolve);
    for (const guest of this.#guests) if (guest.isWaiting) this.#end(guest);
    for (const relay of this.#relays.keys()) {
      if (relay.isIdle) this.#endRelay(relay);
      else relay.end();
    }
    this.#tellIfEmpty();
    await empty;
  }

  /** Ends every connection. */
  hangUp(): void {
    for (const guest of this.#guests) this.#end(guest);
    for (const relay of this.#relays.keys()) this.#endRelay(relay);
  }

  #isProxy(hostname: string): boolean {
    const { trustedProxies } = this.#settings;
    if (trustedProxies.length === 0) return false;
    const address = parseAddress(hostname);
    return address !== undefined && isInAny(trustedProxies, address);
  }

  #welcome(guest: Guest): void {
    const { isIn, gone } = this.#guests.add(guest);
    if (gone !== undefined) this.#warnOf(gone.holder, gone.holder === guest.holder ? 0 : 1);
    else if (!isIn) this.#warnOf(guest.holder);
    if (!isIn) return guest.leave();
    if (!this.#isLooking) void this.#endLateOnes();
    void this.#serve(guest);
  }

  /** @param gone how many of the holder were closed already */
  #warnOf(holder: string, gone = 0): void {
    const [all, held] = [
      count(this.#guests.size, "connection"),
      this.#guests.countOf(holder) + gone,
    ];
    this.#warn(`too many connections: closed one of ${holder}, which has ${held} of ${all}`);
  }

  async #serve(guest: Guest): Promise<void> {
    const { conn } = guest;
    const buffer = this.#buffers.pop() ?? new Uint8Array(USUAL_HEAD);
    try {
      const read = await readHead(conn, buffer);
      if (read === undefined || guest.hasLeft) return;
      guest.next = "answer";
      guest.deadline = undefined;
      const answer = typeof read.head === "number"
        ? refusalOf(read.head)
        : await this.#answer(read.head, guest);
      guest.deadline = this.#now() + ANSWER_TIME;
      await writeAll(conn, answer);
      guest.next = "end";
      if (read.hasMore && !this.#isStopping) await readRest(conn, buffer);
    } catch {
      // It was reset, or ended by us.
    } finally {
      if (this.#buffers.length < MAX_BUFFERS) this.#buffers.push(buffer);
      this.#end(guest);
    }
  }

  async #answer({ bytes, method }: RequestHead, guest: Guest): Promise<Uint8Array> {
    const client = { remoteAddr: guest.entrance.address };
    for (let tries = 1;; tries++) {
      try {
        return await this.#server.answer(bytes, client, method);
      } catch (error) {
        if (guest.hasLeft) throw error;
        this.#complain(`a request could not be answered: ${errorMessage(error)}`);
        // There may be no file descriptor left.
        if (tries === MAX_TRIES || !this.makeRoom()) throw error;
      }
    }
  }

  #end(guest: Guest): void {
    this.#guests.remove(guest);
    guest.leave();
    this.#tellIfEmpty();
  }

  async #endLateOnes(): Promise<void> {
    this.#isLooking = true;
    while (this.#guests.size > 0) {
      await this.#delay(LOOK);
      const now = this.#now();
      for (const guest of this.#guests) {
        if (guest.deadline !== undefined && guest.deadline <= now) this.#end(guest);
      }
    }
    this.#isLooking = false;
  }

  async #relay(conn: Deno.Conn, entrance: Entrance): Promise<void> {
    const { address, abandon } = entrance;
    const isFull = this.#relays.size + this.#coming >= this.#settings.maxConnections;
    if (isFull && !this.#endIdle()) {
      this.#warn(`refused a connection of ${address.hostname}: proxies have too many`);
      return abandon();
    }
    this.#coming++;
    let line;
    try {
      line = await this.#server.open({ remoteAddr: address });
    } catch (error) {
      if (!this.#isStopping) {
        this.#complain(`a proxy's connection could not be relayed: ${errorMessage(error)}`);
      }
      return abandon();
    } finally {
      this.#coming--;
    }
    const relay = new Relay(conn, line, {
      onRequest: () => {
        // Behind all others.
        if (this.#relays.delete(relay)) this.#relays.set(relay, entrance);
      },
      delay: this.#delay,
    });
    this.#relays.set(relay, entrance);
    if (this.#isStopping) relay.end();
    await relay.ended;
    this.#endRelay(relay);
  }

  /** Ends the one that is idle longest. */
  #endIdle(): boolean {
    for (const relay of this.#relays.keys()) {
      if (!relay.isIdle) continue;
      this.#endRelay(relay);
      return true;
    }
    return false;
  }

  #endRelay(relay: Relay): void {
    this.#relays.delete(relay);
    relay.close();
    this.#tellIfEmpty();
  }

  #tellIfEmpty(): void {
    if (this.#guests.size === 0 && this.#relays.size === 0) this.#onEmpty();
  }
}

interface Read {
  head: RequestHead | Refusal;
  /** Whether something else was sent, or will be. */
  hasMore: boolean;
}

/**
 * Reads one head.
 *
 * @param buffer for a head as long as they usually are
 * @returns undefined if the connection ends before it is whole
 */
async function readHead(conn: Deno.Conn, buffer: Uint8Array): Promise<Read | undefined> {
  for (let start = 0, looked = 0, length = 0;;) {
    const count = await conn.read(buffer.subarray(length));
    if (count === null) return undefined;
    length += count;
    if (start === looked) looked = start = endOfEmptyLines(buffer.subarray(0, length), start);
    const end = endOfHead(buffer.subarray(start, length), looked - start);
    if (length > MAX_HEAD && (end === undefined || start + end > MAX_HEAD)) {
      return { head: 431, hasMore: true };
    }
    if (end !== undefined) {
      const head = parseHead(buffer.subarray(start, start + end));
      const hasMore = typeof head === "number" || head.hasBody || start + end < length;
      return { head, hasMore };
    }
    looked = length;
    if (length === buffer.length) {
      // One octet more tells that a head is too long.
      const larger = new Uint8Array(Math.min(2 * length, MAX_HEAD + 1));
      larger.set(buffer);
      buffer = larger;
    }
  }
}

/** Reads what nobody wants until the other side ends it: closed with it, the answer might be lost. */
async function readRest(conn: Deno.Conn, buffer: Uint8Array): Promise<void> {
  await conn.closeWrite();
  for (let left = MAX_REST, count; left > 0 && (count = await conn.read(buffer)) !== null;) {
    left -= count;
  }
}

function refusalOf(status: Refusal): Uint8Array {
  return new TextEncoder().encode(
    `HTTP/1.1 ${status} ${STATUS_TEXT[status]}\r\ncache-control: no-store\r\n` +
      "connection: close\r\ncontent-length: 0\r\n\r\n",
  );
}
