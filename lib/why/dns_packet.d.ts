/** What is used of dns-packet: it has no types of its own. */

import type { Buffer } from "node:buffer";

export interface Question {
  readonly name: string;
  readonly type: string;
}

/** `data` is according to the type; whoever reads it looks what it is. */
export interface WireRecord extends Question {
  readonly ttl?: number;
  readonly data?: unknown;
}

export interface Message {
  readonly id: number;
  readonly type: "query" | "response";
  readonly rcode: string;
  readonly flag_aa: boolean;
  readonly flag_tc: boolean;
  readonly questions: readonly Question[];
  readonly answers: readonly WireRecord[];
  readonly authorities: readonly WireRecord[];
  readonly additionals: readonly WireRecord[];
}

interface Packets {
  decode(message: Buffer): Message;
  /** With two octets in front that say how long it is, as TCP has it. */
  streamEncode(
    query: { type: "query"; id: number; flags: number; questions: readonly Question[] },
  ): Buffer;
}

declare const packets: Packets;
export default packets;
