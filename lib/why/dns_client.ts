/**
 * Asks a nameserver, as a resolver does. For a diagnosis alone: what `OK` and
 * `UPTODATE` stand for comes from nsupdate.
 *
 * dns-packet reads and writes the messages: the wire format is full of traps,
 * and this is what most programs of its kind use (MIT, 60 KB, one small
 * dependency).
 */

import { Buffer } from "node:buffer";
// @ts-types="./dns_packet.d.ts"
import packets, { type Message, type WireRecord } from "dns-packet";
import { parseAddress } from "../address.ts";
import { errorMessage } from "../error_message.ts";

export interface Server {
  /** An IP address. */
  readonly address: string;
  readonly port: number;
}

export type RecordType = "A" | "AAAA" | "NS" | "SOA";

/** Names are lower case, without the final dot; the root is "". */
export interface DnsRecord {
  readonly name: string;
  readonly type: RecordType | "CNAME";
  /** Seconds. */
  readonly ttl: number;
  /** An address in its one form, or a name; of an SOA its first name. */
  readonly value: string;
  /** Of an SOA: its number, and for how many seconds a resolver remembers that there is no record. */
  readonly soa?: { readonly serial: number; readonly negativeTtl: number };
}

export interface DnsAnswer {
  readonly rcode: string;
  readonly isAuthoritative: boolean;
  readonly answers: readonly DnsRecord[];
  readonly authorities: readonly DnsRecord[];
  readonly additionals: readonly DnsRecord[];
}

/** There is no answer; the message says why. */
export class DnsError extends Error {
  override name = "DnsError";

  /** @param hasNoRoute whether this machine has no way to addresses of that kind */
  constructor(message: string, readonly hasNoRoute = false) {
    super(message);
  }
}

/** @throws {DnsError} */
export type Ask = (server: Server, name: string, type: RecordType) => Promise<DnsAnswer>;

export interface AskOptions {
  /** Milliseconds, in all. */
  timeout: number;
  connect?: (options: { hostname: string; port: number }) => Promise<Deno.Conn>;
}

/** Records that are looked at in a section. */
const MAX_RECORDS = 200;
/** What the system says where it has no address or no route of a family. */
const NO_ROUTE = ["ENETUNREACH", "EADDRNOTAVAIL", "EAFNOSUPPORT"];
/** Of IPv6, this too: many a machine without it has a route that says so. */
const NO_ROUTE_6 = [...NO_ROUTE, "EHOSTUNREACH"];

/**
 * Asks one question, without recursion, over TCP: there a refused connection
 * is heard of at once, and no answer is too long.
 *
 * @throws {DnsError}
 */
export async function ask(
  { address, port }: Server,
  name: string,
  type: RecordType,
  { timeout, connect = Deno.connect }: AskOptions,
): Promise<DnsAnswer> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(
    () => late.reject(new DnsError(`no answer in ${timeout / 1000} s`)),
    timeout,
  );
  const connecting = connect({ hostname: address, port });
  try {
    return await Promise.race([exchange(connecting, name, type), late.promise]);
  } catch (error) {
    if (error instanceof DnsError) throw error;
    throw connectionError(error, address);
  } finally {
    clearTimeout(timer);
    connecting.then((conn) => conn.close(), () => {});
  }
}

async function exchange(
  connecting: Promise<Deno.Conn>,
  name: string,
  type: RecordType,
): Promise<DnsAnswer> {
  const conn = await connecting;
  const id = crypto.getRandomValues(new Uint16Array(1))[0]!;
  const question = { name: name === "" ? "." : name, type };
  let left: Uint8Array = packets.streamEncode({
    type: "query",
    id,
    flags: 0,
    questions: [question],
  });
  while (left.length > 0) left = left.subarray(await conn.write(left));
  const [high, low] = await read(conn, 2);
  const message = decode(await read(conn, high! << 8 | low!));
  const [asked] = message.questions;
  if (
    message.id !== id || message.type !== "response" || asked?.type !== type ||
    plainName(asked.name) !== plainName(name)
  ) throw new DnsError("it answers another question");
  return {
    rcode: message.rcode,
    isAuthoritative: message.flag_aa,
    answers: recordsOf(message.answers),
    authorities: recordsOf(message.authorities),
    additionals: recordsOf(message.additionals),
  };
}

async function read(conn: Deno.Conn, length: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(length);
  for (let filled = 0; filled < length;) {
    const count = await conn.read(bytes.subarray(filled));
    if (count === null) throw new DnsError("it closes the connection without an answer");
    filled += count;
  }
  return bytes;
}

function decode(bytes: Uint8Array): Message {
  try {
    return packets.decode(Buffer.from(bytes));
  } catch {
    throw new DnsError("its answer is no DNS message");
  }
}

function connectionError(error: unknown, address: string): DnsError {
  if (error instanceof Deno.errors.ConnectionRefused) return new DnsError("connection refused");
  const code = (error as { code?: string }).code ?? "";
  const codes = address.includes(":") ? NO_ROUTE_6 : NO_ROUTE;
  return new DnsError(errorMessage(error), codes.includes(code));
}

function recordsOf(records: readonly WireRecord[]): DnsRecord[] {
  return records.slice(0, MAX_RECORDS).flatMap((record) => recordOf(record) ?? []);
}

function recordOf({ name, type, ttl = 0, data }: WireRecord): DnsRecord | undefined {
  const common = { name: plainName(name), ttl };
  switch (type) {
    case "A":
    case "AAAA": {
      const address = parseAddress(`${data}`);
      return address && { ...common, type, value: address.text };
    }
    case "NS":
    case "CNAME":
      return { ...common, type, value: plainName(`${data}`) };
    case "SOA": {
      const { mname, serial, minimum } = data as Record<string, unknown>;
      const soa = { serial: Number(serial), negativeTtl: Math.min(Number(minimum), ttl) };
      return { ...common, type, value: plainName(`${mname}`), soa };
    }
  }
}

function plainName(name: string): string {
  return name.toLowerCase().replace(/\.$/, "");
}
