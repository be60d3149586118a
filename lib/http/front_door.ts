/**
 * The front door: everybody who comes from the network comes through here, HTTP and
 * HTTPS alike. A stranger's connection is for one request, whose head has to come
 * soon and be small, and nothing else of it is looked at. A trusted proxy's is kept
 * for the next one.
 */

import { STATUS_CODE } from "@std/http/status";
import { isInAny, type Network, parseAddress } from "../address.ts";
import { count } from "../count.ts";
import { delay } from "../delay.ts";
import { errorMessage } from "../error_message.ts";
import { type Answer, answerBytes } from "./answer.ts";
import { close, writeAll } from "./connection.ts";
import type { Handler } from "./handler.ts";
import { readHead } from "./head_reader.ts";
import type { RequestHead } from "./request_head.ts";
import { holderOf, type Visitor, Visitors } from "./visitors.ts";

export interface DoorSettings {
  /** Their connections are kept, and not counted with the others. */
  trustedProxies: readonly Network[];
  /** Connections at a time: so many of strangers, and so many of proxies. */
  maxConnections: number;
}

export interface FrontDoorOptions extends DoorSettings {
  handler: Handler;
  /** Both are for what the network can cause at will: the first for what is refused. */
  warn: (problem: string) => void;
  complain: (problem: string) => void;
  /** What warnings call the limit of connections. */
  limit?: string;
  now?: () => number;
  delay?: (ms: number) => Promise<unknown>;
}

/** Connections as they are now, and those since the start that were not to stay. */
export interface Connections {
  readonly strangers: number;
  readonly proxies: number;
  /** Not let in, as there was no room. */
  readonly refused: number;
  /** Ended to make room for others. */
  readonly closed: number;
}

/** How a connection came in. */
export interface Entrance {
  /** Of the other end. */
  address: { readonly hostname: string };
  /** Ends the connection although nothing has come on it. */
  abandon: () => void;
  /** Called when it was closed. */
  onClose?: () => void;
}

/**
 * Milliseconds to the end of the head: of a stranger from accept, a TLS handshake
 * included; of a proxy from the head's first octet.
 */
const HEAD_TIME = 10_000;
/** Milliseconds that somebody has to take the answer, or the next part of a long one. */
const ANSWER_TIME = 5000;
/** Milliseconds between two looks at who is late. */
const LOOK = 500;
/** Octets of a head as a rule. */
const USUAL_HEAD = 2048;
/** Buffers that are kept for the next connection. */
const MAX_BUFFERS = 64;
/** Octets of a long answer that are written at a time. */
const PART = 64 * 1024;
/** Octets that are read of what nobody wants, so that the answer is not lost by a reset. */
const MAX_REST = 64 * 1024;

/** Somebody's connection. */
class Guest implements Visitor {
  /** What comes next: the head of a request, the answer to it, or the end. */
  next: "head" | "answer" | "end" = "head";
  hasBegun = false;
  hasLeft = false;
  /** When it is ended unless it goes on. */
  deadline: number | undefined;

  /** @param isKept whether another request may follow on it */
  constructor(
    readonly conn: Deno.Conn,
    readonly entrance: Entrance,
    readonly holder: string,
    public isKept: boolean,
  ) {}

  get isWaiting(): boolean {
    return this.next !== "answer";
  }

  leave(): void {
    if (this.hasLeft) return;
    this.hasLeft = true;
    if (!this.hasBegun) return this.entrance.abandon();
    close(this.conn);
    this.entrance.onClose?.();
  }
}

export class FrontDoor {
  readonly #options: Required<Omit<FrontDoorOptions, keyof DoorSettings>>;
  readonly #strangers: Visitors<Guest>;
  /** The longest without a request first. */
  readonly #proxies = new Set<Guest>();
  readonly #buffers: Uint8Array<ArrayBuffer>[] = [];
  #settings: DoorSettings;
  #isLooking = false;
  #isStopping = false;
  #refused = 0;
  #closed = 0;
  #onEmpty = () => {};

  constructor(
    {
      trustedProxies,
      maxConnections,
      limit = "max_connections",
      now = () => performance.now(),
      delay: wait = delay,
      ...options
    }: FrontDoorOptions,
  ) {
    this.#options = { ...options, limit, now, delay: wait };
    this.#settings = { trustedProxies, maxConnections };
    this.#strangers = new Visitors(maxConnections);
  }

  /** Applies to those who come from now on; connections of proxies that are none any more are ended. */
  set settings(settings: DoorSettings) {
    this.#settings = settings;
    this.#strangers.max = settings.maxConnections;
    for (const proxy of this.#proxies) {
      if (!this.#isProxy(proxy.entrance.address.hostname)) this.#endAfterAnswer(proxy);
    }
  }

  get connections(): Connections {
    return {
      strangers: this.#strangers.size,
      proxies: this.#proxies.size,
      refused: this.#refused,
      closed: this.#closed,
    };
  }

  /** Serves a connection that was accepted, to its end. */
  admit(conn: Deno.Conn, entrance: Entrance): void {
    const { hostname } = entrance.address;
    if (this.#isStopping) return entrance.abandon();
    const isProxy = this.#isProxy(hostname);
    const guest = new Guest(conn, entrance, isProxy ? hostname : holderOf(hostname), isProxy);
    if (!(isProxy ? this.#addProxy(guest) : this.#addStranger(guest))) return guest.leave();
    void this.#serve(guest);
  }

  /** Where nothing more can be opened, somebody who only waits has to go. */
  makeRoom(): boolean {
    return this.#strangers.makeRoom() !== undefined || this.#endIdleProxy();
  }

  /**
   * Lets nobody in any more, ends what has no request, and resolves when all
   * requests have been answered.
   */
  async stop(): Promise<void> {
    this.#isStopping = true;
    const empty = new Promise<void>((resolve) => this.#onEmpty = resolve);
    for (const guest of this.#guests()) this.#endAfterAnswer(guest);
    this.#tellIfEmpty();
    await empty;
  }

  /** Ends every connection. */
  hangUp(): void {
    for (const guest of this.#guests()) this.#end(guest);
  }

  *#guests(): Generator<Guest> {
    yield* this.#strangers;
    yield* this.#proxies;
  }

  #isProxy(hostname: string): boolean {
    const { trustedProxies } = this.#settings;
    if (trustedProxies.length === 0) return false;
    const address = parseAddress(hostname);
    return address !== undefined && isInAny(trustedProxies, address);
  }

  #addStranger(guest: Guest): boolean {
    const { isIn, gone } = this.#strangers.add(guest);
    if (gone !== undefined) this.#warnOf("closed", gone.holder, gone.holder !== guest.holder);
    else if (!isIn) this.#warnOf("refused", guest.holder, false);
    // A proxy may keep its connection without a request for as long as it likes.
    if (isIn) this.#setDeadline(guest, HEAD_TIME);
    return isIn;
  }

  #addProxy(guest: Guest): boolean {
    if (this.#proxies.size >= this.#settings.maxConnections && !this.#endIdleProxy()) {
      this.#refused++;
      this.#options.warn(
        `refused a connection of the proxy ${guest.holder}: proxies have max_connections, ` +
          `${this.#settings.maxConnections}, and each waits for an answer`,
      );
      return false;
    }
    this.#proxies.add(guest);
    return true;
  }

  /** @param isForOther whether it had to make room for somebody else */
  #warnOf(what: "closed" | "refused", holder: string, isForOther: boolean): void {
    const limit = `${this.#options.limit} is ${this.#settings.maxConnections}`;
    if (what === "closed") this.#closed++;
    else this.#refused++;
    // Whoever had to go is not counted any more.
    const held = this.#strangers.countOf(holder) + (isForOther ? 1 : 0);
    const most = !isForOther && held >= this.#strangers.maxOfOne
      ? `the most for one address where ${limit}`
      : `and ${limit}`;
    this.#options.warn(
      `${what} a connection of ${holder}, which has ${count(held, "connection")}, ${most}`,
    );
  }

  async #serve(guest: Guest): Promise<void> {
    const { conn } = guest;
    const buffer = this.#buffers.pop() ?? new Uint8Array(USUAL_HEAD);
    const options = { buffer, isStrict: guest.isKept, onStart: () => this.#begin(guest) };
    try {
      for (;;) {
        const read = await readHead(conn, options);
        if (read === undefined || guest.hasLeft) return;
        const { head, hasMore } = read;
        guest.next = "answer";
        guest.deadline = undefined;
        const isRefused = typeof head === "number";
        const answer = isRefused ? { status: head, body: null } : await this.#answer(head, guest);
        this.#setDeadline(guest, ANSWER_TIME);
        // A body, or another request already: what is sent before it is asked for is not looked at.
        const isMore = isRefused || head.hasBody || hasMore;
        const isLast = isMore || !head.isKept || !guest.isKept;
        await writeAll(conn, answerBytes(answer, isLast));
        if (answer.body instanceof Uint8Array) await this.#writeLong(answer.body, guest);
        if (isLast) {
          guest.next = "end";
          if (isMore && !this.#isStopping) await readRest(conn);
          return;
        }
        guest.next = "head";
        guest.deadline = undefined;
        // Told to end while it was written.
        if (!guest.isKept) return;
      }
    } catch {
      // It was reset, or ended by us.
    } finally {
      if (this.#buffers.length < MAX_BUFFERS) this.#buffers.push(buffer);
      this.#end(guest);
    }
  }

  /** The first octets of a request have come. */
  #begin(guest: Guest): void {
    guest.hasBegun = true;
    if (guest.deadline === undefined) this.#setDeadline(guest, HEAD_TIME);
    // Behind all others.
    if (this.#proxies.delete(guest)) this.#proxies.add(guest);
  }

  /** No promise where the handler makes none: most requests change nothing. */
  #answer(head: RequestHead, guest: Guest): Answer | Promise<Answer> {
    try {
      const answer = this.#options.handler(head, guest.entrance.address.hostname);
      return answer instanceof Promise ? answer.catch((error) => this.#fault(error)) : answer;
    } catch (error) {
      return this.#fault(error);
    }
  }

  #fault(error: unknown): Answer {
    this.#options.complain(`internal error: ${errorMessage(error)}`);
    return { status: STATUS_CODE.InternalServerError, body: "FAIL" };
  }

  /** Writes what is not copied for everybody who asks for it. */
  async #writeLong(body: Uint8Array, guest: Guest): Promise<void> {
    for (let at = 0; at < body.length; at += PART) {
      this.#setDeadline(guest, ANSWER_TIME);
      await writeAll(guest.conn, body.subarray(at, at + PART));
    }
  }

  /** Ends it, at once if no request of it is being answered. */
  #endAfterAnswer(guest: Guest): void {
    guest.isKept = false;
    if (guest.isWaiting) this.#end(guest);
  }

  /** Ends the proxy's connection that is without a request for longest. */
  #endIdleProxy(): boolean {
    for (const proxy of this.#proxies) {
      if (!proxy.isWaiting) continue;
      this.#end(proxy);
      return true;
    }
    return false;
  }

  #end(guest: Guest): void {
    if (!this.#proxies.delete(guest)) this.#strangers.remove(guest);
    guest.leave();
    this.#tellIfEmpty();
  }

  #setDeadline(guest: Guest, ms: number): void {
    guest.deadline = this.#options.now() + ms;
    if (!this.#isLooking) void this.#endLateOnes();
  }

  /** Looks who is late, for as long as somebody may become so. */
  async #endLateOnes(): Promise<void> {
    this.#isLooking = true;
    for (let areSome = true; areSome;) {
      await this.#options.delay(LOOK);
      areSome = false;
      const now = this.#options.now();
      for (const guest of this.#guests()) {
        if (guest.deadline === undefined) continue;
        if (guest.deadline <= now) this.#end(guest);
        else areSome = true;
      }
    }
    this.#isLooking = false;
  }

  #tellIfEmpty(): void {
    if (this.#strangers.size === 0 && this.#proxies.size === 0) this.#onEmpty();
  }
}

/** Reads what nobody wants until the other side ends it: closed with it, the answer might be lost. */
async function readRest(conn: Deno.Conn): Promise<void> {
  await conn.closeWrite();
  const part = new Uint8Array(USUAL_HEAD);
  for (let left = MAX_REST, count; left > 0 && (count = await conn.read(part)) !== null;) {
    left -= count;
  }
}
