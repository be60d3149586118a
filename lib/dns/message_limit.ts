/** How much goes into one message. */

import type { AddressType } from "../change.ts";

/** What of a record tells how much of a message it takes. */
interface Sized {
  readonly name: string;
  readonly type: AddressType;
}
/** Whether the message takes these records as well, in this zone; if so, they are in. */
export type Fits = (records: readonly Sized[], zone: string) => boolean;
export type MessageKind = "ask" | "set";

/** BIND takes more, but a message that is refused is taken apart. */
const MAX_RECORDS = 500;
/** A message has 65,535; late names are not compressed. */
const MAX_OCTETS = 60_000;
/**
 * How often a record's name is in it, and the octets of the rest but for the
 * address: a resource record's fixed part (10), a compressed name (2).
 * set: prerequisite, deletion, addition; ask: prerequisite (RFC 2136, section 2).
 */
const SHAPE = {
  set: { names: 3, octets: 3 * 10, compressed: 3 * (2 + 10) },
  ask: { names: 1, octets: 10, compressed: 2 + 10 },
};
const ADDRESS = { A: 4, AAAA: 16 };
/**
 * nsupdate uses TCP for more than 512 octets, with a connection for each
 * message, whose port is not free again for a minute. 180 are for the header,
 * the zone and the signature.
 */
const SMALL_OCTETS = 330;
/** Milliseconds from one message over TCP to the next: 250 a second leave half the ports free. */
const BIG_PAUSE = 4;

export class MessageLimit {
  readonly #now: () => number;
  #bigAt = -Infinity;

  /** @param now milliseconds, of a clock that nobody sets */
  constructor(now: () => number) {
    this.#now = now;
  }

  /** Milliseconds until a message of these records may go, which is then counted. */
  pause(kind: MessageKind, records: readonly Sized[], zone: string): number {
    let compressed = 0;
    for (const record of records) compressed += compressedOctets(kind, record, zone);
    return compressed <= SMALL_OCTETS ? 0 : this.#pauseOfBig();
  }

  /** As above, of a message with commands of its own: each has a record or less. */
  pauseOf(commands: readonly string[]): number {
    const octets = commands.reduce((sum, command) => sum + command.length, 0);
    return octets <= SMALL_OCTETS ? 0 : this.#pauseOfBig();
  }

  /** In order, as many at a time as any message takes. */
  *slices<T extends Sized>(kind: MessageKind, records: readonly T[]): Generator<T[]> {
    let slice: T[] = [], octets = 0;
    for (const record of records) {
      const more = mostOctets(kind, record);
      if (slice.length === MAX_RECORDS || octets + more > MAX_OCTETS) {
        yield slice;
        slice = [];
        octets = 0;
      }
      slice.push(record);
      octets += more;
    }
    yield slice;
  }

  /** Begins a message, which takes at least the first that it gets. */
  next(kind: MessageKind): Fits {
    const mayBeBig = this.#now() - this.#bigAt >= BIG_PAUSE;
    let count = 0, octets = 0, compressed = 0;
    return (records, zone) => {
      const isFirst = count === 0;
      for (const record of records) {
        count++;
        octets += mostOctets(kind, record);
        compressed += compressedOctets(kind, record, zone);
      }
      if (isFirst) return true;
      return mayBeBig ? count <= MAX_RECORDS && octets <= MAX_OCTETS : compressed <= SMALL_OCTETS;
    };
  }

  #pauseOfBig(): number {
    const now = this.#now();
    this.#bigAt = Math.max(now, this.#bigAt + BIG_PAUSE);
    return this.#bigAt - now;
  }
}

/** The octets of a record whose name is compressed nowhere. */
function mostOctets(kind: MessageKind, { name, type }: Sized): number {
  const { names, octets } = SHAPE[kind];
  return names * (name.length + 2) + octets + ADDRESS[type];
}

/** The octets of a record whose zone's name was in the message before. */
function compressedOctets(kind: MessageKind, { name, type }: Sized, zone: string): number {
  return name.length - zone.length + SHAPE[kind].compressed + ADDRESS[type];
}
