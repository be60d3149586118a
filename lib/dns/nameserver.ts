/**
 * What the nameserver says now: asked over one TCP connection that carries many
 * questions at a time (RFC 7766). Deno.resolveDns would not do: it tells
 * neither REFUSED from "no such name" nor whether the server is an authority.
 */

import { parseAddress } from "../address.ts";
import {
  addressText,
  type AddressType,
  decodeReply,
  encodeQuery,
  type RecordType,
  type Reply,
  TYPES,
} from "./dns.ts";
import { type Endpoint, endpointText } from "../endpoint.ts";
import type { Hostname } from "../hostname.ts";

export interface NameserverOptions {
  /** undefined is the one on this machine. */
  endpoint?: Endpoint | undefined;
  /** Milliseconds that one question may take. */
  timeout?: number;
  /** Milliseconds without a question after which the connection is closed. */
  idle?: number;
  connect?: (options: Deno.ConnectOptions) => Promise<Deno.Conn>;
}

/** The nameserver cannot be asked, or gives no answer to go by; the message says why. */
export class LookupError extends Error {
  override name = "LookupError";
}

/** `nsupdate -l` takes the nameserver at either of these, too. */
const LOCAL: Endpoint[] = [{ hostname: "127.0.0.1", port: 53 }, { hostname: "::1", port: 53 }];

export class Nameserver {
  readonly #endpoints: Endpoint[];
  readonly #timeout: number;
  readonly #idle: number;
  readonly #connect: (options: Deno.ConnectOptions) => Promise<Deno.Conn>;
  #connection: Promise<Connection> | undefined;
  #isClosed = false;
  #isMade = false;
  #reachedAt: string | undefined;

  constructor(
    { endpoint, timeout = 1000, idle = 10_000, connect = Deno.connect }: NameserverOptions = {},
  ) {
    this.#endpoints = endpoint === undefined ? LOCAL : [endpoint];
    this.#timeout = timeout;
    this.#idle = idle;
    this.#connect = connect;
  }

  /** The address at which it took a connection last; undefined if it has not yet. */
  reachedAt(): string | undefined {
    return this.#reachedAt;
  }

  /**
   * The addresses that the name has now, in canonical text; none if it or the
   * type does not exist.
   *
   * @throws {LookupError}
   */
  async addresses(name: Hostname, type: AddressType): Promise<string[]> {
    const { rcode, answers } = await this.#ask(name, type);
    if (rcode !== "NOERROR" && rcode !== "NXDOMAIN") throw new LookupError(`it says ${rcode}`);
    return answers.flatMap((record) => {
      if (record.name !== name || record.type !== TYPES[type]) return [];
      const text = addressText(record);
      return text === undefined ? [] : [parseAddress(text)!.text];
    });
  }

  /**
   * The zone that the name is in: the owner of the SOA record in an
   * authority's answer (RFC 2308, section 3).
   *
   * @throws {LookupError} also if the server is no authority, or the name is
   * an alias, to which no address can be added (RFC 2136, section 3.4.2.2)
   */
  async zone(name: Hostname): Promise<string> {
    const { rcode, authoritative, answers, authority } = await this.#ask(name, "SOA");
    if (rcode !== "NOERROR" && rcode !== "NXDOMAIN") throw new LookupError(`it says ${rcode}`);
    if (answers.some((record) => record.type === TYPES.CNAME)) {
      throw new LookupError("this name is an alias (CNAME) there, and can have no address");
    }
    const soa = [...answers, ...authority].find((record) => record.type === TYPES.SOA);
    if (!authoritative || soa === undefined || !isWithin(name, soa.name)) {
      throw new LookupError("it has no zone with this name");
    }
    return soa.name;
  }

  /** Ends the connection, if there is one. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#drop();
  }

  async #drop(): Promise<void> {
    const connection = this.#connection;
    this.#connection = undefined;
    const ended = connection?.then((open) => open.close(), () => {});
    if (this.#isMade) await ended;
  }

  async #ask(name: Hostname, type: RecordType): Promise<Reply> {
    if (this.#isClosed) throw new LookupError("closed");
    const deadline = Promise.withResolvers<never>();
    const timer = setTimeout(
      () => {
        deadline.reject(new LookupError(`no answer in ${this.#timeout / 1000} s`));
        this.#drop();
      },
      this.#timeout,
    );
    try {
      return await Promise.race([this.#askTwice(name, type), deadline.promise]);
    } catch (error) {
      if (error instanceof LookupError) throw error;
      throw new LookupError(error instanceof Error ? error.message : String(error));
    } finally {
      clearTimeout(timer);
    }
  }

  async #askTwice(name: Hostname, type: RecordType): Promise<Reply> {
    const isOld = this.#connection !== undefined;
    try {
      return await (await this.#open()).ask(name, type);
    } catch (error) {
      // The server may close a connection at any time: a fresh one tells.
      if (!isOld || this.#isClosed) throw error;
      return await (await this.#open()).ask(name, type);
    }
  }

  #open(): Promise<Connection> {
    if (this.#connection !== undefined) return this.#connection;
    this.#isMade = false;
    const ended = () => {
      if (this.#connection === connection) this.#connection = undefined;
    };
    const connection: Promise<Connection> = this.#connectAny().then((conn) => {
      if (this.#connection === connection) this.#isMade = true;
      return new Connection(conn, this.#idle, ended);
    });
    connection.catch(ended);
    return this.#connection = connection;
  }

  async #connectAny(): Promise<Deno.Conn> {
    let failure: unknown;
    for (const { hostname, port } of this.#endpoints) {
      try {
        const conn = await this.#connect({ hostname: hostname!, port });
        this.#reachedAt = (conn.remoteAddr as Deno.NetAddr).hostname;
        return conn;
      } catch (error) {
        failure ??= error;
      }
    }
    const where = endpointText(this.#endpoints[0]!);
    if (failure instanceof Deno.errors.ConnectionRefused) {
      throw new LookupError(`nothing answers at ${where}`);
    }
    throw new LookupError(`${where}: ${failure instanceof Error ? failure.message : failure}`);
  }
}

function isWithin(name: string, zone: string): boolean {
  return zone === "" || name === zone || name.endsWith(`.${zone}`);
}

/** Questions and answers on one TCP connection; each message has two bytes of length in front. */
class Connection {
  readonly #conn: Deno.Conn;
  readonly #idle: number;
  readonly #ended: () => void;
  readonly #reading: Promise<void>;
  readonly #waiting = new Map<number, PromiseWithResolvers<Reply>>();
  #writing: Promise<unknown> = Promise.resolve();
  #idleTimer: ReturnType<typeof setTimeout> | undefined;
  #nextId = crypto.getRandomValues(new Uint16Array(1))[0]!;
  #isOpen = true;

  constructor(conn: Deno.Conn, idle: number, ended: () => void) {
    this.#conn = conn;
    this.#idle = idle;
    this.#ended = ended;
    this.#reading = this.#read();
  }

  ask(name: Hostname, type: RecordType): Promise<Reply> {
    if (!this.#isOpen) throw new LookupError("it closed the connection");
    clearTimeout(this.#idleTimer);
    this.#idleTimer = undefined;
    while (this.#waiting.has(this.#nextId)) this.#nextId = (this.#nextId + 1) & 0xffff;
    const id = this.#nextId;
    this.#nextId = (id + 1) & 0xffff;
    const answer = Promise.withResolvers<Reply>();
    this.#waiting.set(id, answer);
    const query = encodeQuery(id, name, type);
    const frame = new Uint8Array(query.length + 2);
    frame.set([query.length >> 8, query.length & 0xff]);
    frame.set(query, 2);
    this.#writing = this.#writing.then(() => writeAll(this.#conn, frame)).catch(() => this.#end());
    return answer.promise;
  }

  async close(): Promise<void> {
    this.#end();
    await this.#reading;
  }

  async #read(): Promise<void> {
    let buffer = new Uint8Array(0);
    const chunk = new Uint8Array(16_384);
    try {
      for (let count; (count = await this.#conn.read(chunk)) !== null;) {
        const joined = new Uint8Array(buffer.length + count);
        joined.set(buffer);
        joined.set(chunk.subarray(0, count), buffer.length);
        buffer = joined.slice(this.#take(joined));
      }
    } catch {
      // Reset, or closed by us, or not DNS: all who wait are told below.
    }
    this.#end();
  }

  /** Hands on each whole message; returns how many bytes they took. */
  #take(bytes: Uint8Array): number {
    let at = 0;
    while (bytes.length - at >= 2) {
      const end = at + 2 + (bytes[at]! << 8 | bytes[at + 1]!);
      if (end > bytes.length) break;
      const reply = decodeReply(bytes.subarray(at + 2, end));
      const waiting = this.#waiting.get(reply.id);
      this.#waiting.delete(reply.id);
      waiting?.resolve(reply);
      at = end;
    }
    if (this.#waiting.size === 0 && at > 0) {
      clearTimeout(this.#idleTimer);
      const timer = setTimeout(() => this.#end(), this.#idle);
      Deno.unrefTimer(timer);
      this.#idleTimer = timer;
    }
    return at;
  }

  #end(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    clearTimeout(this.#idleTimer);
    this.#conn.close();
    this.#ended();
    for (const { reject } of this.#waiting.values()) {
      reject(new LookupError("it closed the connection"));
    }
    this.#waiting.clear();
  }
}

async function writeAll(conn: Deno.Conn, bytes: Uint8Array): Promise<void> {
  while (bytes.length > 0) bytes = bytes.subarray(await conn.write(bytes));
}
