/** DNS messages on the wire, as far as a nameserver must be asked (RFC 1035, section 4). */

export const TYPES = { A: 1, CNAME: 5, SOA: 6, AAAA: 28 } as const;
export type RecordType = keyof typeof TYPES;
/** The types that hold an address. */
export type AddressType = "A" | "AAAA";

export interface DnsRecord {
  /** Lower case, without the final dot; the root is "". */
  readonly name: string;
  /** A number of RFC 1035 or later. */
  readonly type: number;
  /** Uninterpreted. */
  readonly data: Uint8Array;
}

export interface Reply {
  readonly id: number;
  /** NOERROR, NXDOMAIN, …, or the number as text. */
  readonly rcode: string;
  /** Whether the server is an authority for the name (AA). */
  readonly authoritative: boolean;
  readonly answers: readonly DnsRecord[];
  readonly authority: readonly DnsRecord[];
}

/** RFC 1035, section 4.1.1, and RFC 2136, section 2.2. */
export const RCODES = [
  "NOERROR",
  "FORMERR",
  "SERVFAIL",
  "NXDOMAIN",
  "NOTIMP",
  "REFUSED",
  "YXDOMAIN",
  "YXRRSET",
  "NXRRSET",
  "NOTAUTH",
  "NOTZONE",
] as const;

const HEADER = 12;
const CLASS_IN = 1;
/** More labels and pointers than any name has: it has 255 octets, a label two at least. */
const MAX_STEPS = 255;

/** A query for one name and type, without recursion. The name is LDH and valid. */
export function encodeQuery(id: number, name: string, type: RecordType): Uint8Array<ArrayBuffer> {
  const labels = name.split(".").filter((label) => label !== "");
  const message = new Uint8Array(HEADER + name.length + 2 + 4);
  const view = new DataView(message.buffer);
  view.setUint16(0, id);
  view.setUint16(4, 1); // One question.
  let at = HEADER;
  for (const label of labels) {
    message[at++] = label.length;
    for (let i = 0; i < label.length; i++) message[at++] = label.charCodeAt(i);
  }
  view.setUint16(at + 1, TYPES[type]);
  view.setUint16(at + 3, CLASS_IN);
  return message.subarray(0, at + 5);
}

/** @throws {RangeError} the bytes are no reply */
export function decodeReply(message: Uint8Array): Reply {
  const view = new DataView(message.buffer, message.byteOffset, message.byteLength);
  if (message.length < HEADER) throw new RangeError("shorter than a header");
  const flags = view.getUint16(2);
  if ((flags & 0x8000) === 0) throw new RangeError("not a reply");
  let at = HEADER;
  for (let questions = view.getUint16(4); questions > 0; questions--) {
    at = readName(view, at).end + 4;
  }
  const readRecords = (count: number): DnsRecord[] => {
    const records: DnsRecord[] = [];
    for (; count > 0; count--) {
      const { name, end } = readName(view, at);
      const length = view.getUint16(end + 8);
      at = end + 10 + length;
      if (at > message.length) throw new RangeError("a record goes beyond the message");
      records.push({ name, type: view.getUint16(end), data: message.subarray(end + 10, at) });
    }
    return records;
  };
  const rcode = flags & 0xf;
  return {
    id: view.getUint16(0),
    rcode: RCODES[rcode] ?? `${rcode}`,
    authoritative: (flags & 0x0400) !== 0,
    answers: readRecords(view.getUint16(6)),
    authority: readRecords(view.getUint16(8)),
  };
}

/** The address in the data of an A or AAAA record, in a form that can be parsed; undefined if none. */
export function addressText({ type, data }: DnsRecord): string | undefined {
  if (type === TYPES.A && data.length === 4) return data.join(".");
  if (type !== TYPES.AAAA || data.length !== 16) return undefined;
  const groups: string[] = [];
  for (let i = 0; i < 16; i += 2) groups.push((data[i]! << 8 | data[i + 1]!).toString(16));
  return groups.join(":");
}

function readName(view: DataView, at: number): { name: string; end: number } {
  const labels: string[] = [];
  let end: number | undefined;
  for (let steps = 0; steps < MAX_STEPS; steps++) {
    const length = view.getUint8(at++);
    if (length === 0) return { name: labels.join("."), end: end ?? at };
    if ((length & 0xc0) === 0xc0) {
      // A pointer to the rest of the name, earlier in the message.
      end ??= at + 1;
      at = (length & 0x3f) << 8 | view.getUint8(at);
    } else if (length > 63) throw new RangeError("not a label");
    else {
      let label = "";
      for (let i = 0; i < length; i++) label += String.fromCharCode(view.getUint8(at++));
      labels.push(label.toLowerCase());
    }
  }
  throw new RangeError("a name does not end");
}
