/** SHA-256 digests, numbered from 0 in the order in which they came; 60 octets each at most. */

import { withRoom } from "./with_room.ts";

/** A digest as eight words of 32 bits. */
export type DigestWords = Int32Array;

const WORDS = 8;
/** So many small tables instead of a big one: each grows in no time. */
const PARTS = 256;

export class DigestTable {
  readonly #parts = Array.from({ length: PARTS }, () => new Part());
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** The digest's number; -1 if it is not here. */
  find(digest: DigestWords): number {
    return this.#partOf(digest).find(digest);
  }

  /** Adds a digest that is not here yet. */
  add(digest: DigestWords): void {
    this.#partOf(digest).add(digest, this.#size++);
  }

  /** Each with its number, in no order. */
  *all(): Generator<[number: number, digest: DigestWords]> {
    for (const part of this.#parts) yield* part.all();
  }

  #partOf(digest: DigestWords): Part {
    return this.#parts[digest[1]! & PARTS - 1]!;
  }
}

class Part {
  #digests = new Int32Array(WORDS * 8);
  #numbers = new Int32Array(8);
  /** By a digest's first word, or the next free place after it: its index + 1. */
  #slots = new Int32Array(16);
  #size = 0;

  find(digest: DigestWords): number {
    const mask = this.#slots.length - 1;
    for (let slot = digest[0]! & mask;; slot = slot + 1 & mask) {
      const index = this.#slots[slot]! - 1;
      if (index < 0) return -1;
      if (this.#isAt(index, digest)) return this.#numbers[index]!;
    }
  }

  *all(): Generator<[number, DigestWords]> {
    for (let i = 0; i < this.#size; i++) {
      yield [this.#numbers[i]!, this.#digests.slice(i * WORDS, (i + 1) * WORDS)];
    }
  }

  add(digest: DigestWords, number: number): void {
    const index = this.#size++;
    this.#digests = withRoom(this.#digests, this.#size * WORDS);
    this.#digests.set(digest, index * WORDS);
    this.#numbers = withRoom(this.#numbers, this.#size);
    this.#numbers[index] = number;
    // At least half of the places stay free.
    if (this.#size * 2 <= this.#slots.length) return this.#place(index);
    this.#slots = new Int32Array(this.#slots.length * 2);
    for (let each = 0; each <= index; each++) this.#place(each);
  }

  #place(index: number): void {
    const mask = this.#slots.length - 1;
    let slot = this.#digests[index * WORDS]! & mask;
    while (this.#slots[slot] !== 0) slot = slot + 1 & mask;
    this.#slots[slot] = index + 1;
  }

  /** Takes the same time wherever they differ. */
  #isAt(index: number, digest: DigestWords): boolean {
    let difference = 0;
    for (let i = 0; i < WORDS; i++) difference |= this.#digests[index * WORDS + i]! ^ digest[i]!;
    return difference === 0;
  }
}
