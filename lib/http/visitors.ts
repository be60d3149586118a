/**
 * Who is at the front door: so many in all, and so many from one address, that no
 * one can keep others out.
 */

import { parseAddress } from "../address.ts";

/** Of all connections, what one IPv4 address or IPv6 /64 may hold. */
const SHARE = 1 / 32;

export interface Visitor {
  /** Whose it is: as `holderOf` names it. */
  readonly holder: string;
  /** Whether it waits for its client, not for us: only then it has to make room for others. */
  readonly isWaiting: boolean;
  /** Ends its connection; it is removed by whoever calls this. */
  leave(): void;
}

/** An IPv4 address, or the /64 of an IPv6 one, which is what a customer gets at least. */
export function holderOf(hostname: string): string {
  if (!hostname.includes(":")) return hostname;
  const address = parseAddress(hostname);
  if (address === undefined || address.family === 4) return address?.text ?? hostname;
  return `${address.parts.slice(0, 4).map((part) => part.toString(16)).join(":")}::/64`;
}

/** The visitors, by who holds how many. */
export class Visitors<V extends Visitor> {
  #max: number;
  #size = 0;
  readonly #held = new Map<string, Set<V>>();
  /** The holders of so many each. */
  readonly #byCount: Set<string>[] = [];

  /** @param max in all */
  constructor(max: number) {
    this.#max = max;
  }

  get size(): number {
    return this.#size;
  }

  /** Applies to those who come from now on. */
  set max(max: number) {
    this.#max = max;
  }

  countOf(holder: string): number {
    return this.#held.get(holder)?.size ?? 0;
  }

  /** Of one holder. */
  get maxOfOne(): number {
    return Math.ceil(this.#max * SHARE);
  }

  /**
   * Lets a visitor in. Where there is no room, the one of this holder that waits
   * longest has to go, or of whoever holds most.
   *
   * @returns whether it is in; who had to go for it
   */
  add(visitor: V): { isIn: boolean; gone?: V | undefined } {
    let gone: V | undefined;
    if (this.countOf(visitor.holder) >= this.maxOfOne) {
      gone = this.#longestWaiting(visitor.holder);
      if (gone === undefined) return { isIn: false };
    } else if (this.#size >= this.#max) {
      gone = this.#ofTheMost();
      if (gone === undefined) return { isIn: false };
    }
    if (gone !== undefined) this.#removeAndEnd(gone);
    const { holder } = visitor;
    const visitors = this.#held.get(holder) ?? new Set();
    this.#move(holder, visitors.size, visitors.size + 1);
    this.#held.set(holder, visitors.add(visitor));
    this.#size++;
    return { isIn: true, gone };
  }

  /** Has the one go that waits longest of whoever holds most; undefined if nobody waits. */
  makeRoom(): V | undefined {
    const gone = this.#ofTheMost();
    if (gone !== undefined) this.#removeAndEnd(gone);
    return gone;
  }

  remove(visitor: V): void {
    const visitors = this.#held.get(visitor.holder);
    if (visitors === undefined || !visitors.delete(visitor)) return;
    this.#move(visitor.holder, visitors.size + 1, visitors.size);
    if (visitors.size === 0) this.#held.delete(visitor.holder);
    this.#size--;
  }

  *[Symbol.iterator](): Iterator<V> {
    for (const visitors of this.#held.values()) yield* visitors;
  }

  #ofTheMost(): V | undefined {
    for (let count = this.#byCount.length - 1; count > 0; count--) {
      for (const holder of this.#byCount[count] ?? []) {
        const visitor = this.#longestWaiting(holder);
        if (visitor !== undefined) return visitor;
      }
    }
  }

  #longestWaiting(holder: string): V | undefined {
    for (const visitor of this.#held.get(holder) ?? []) if (visitor.isWaiting) return visitor;
  }

  #removeAndEnd(visitor: V): void {
    this.remove(visitor);
    visitor.leave();
  }

  #move(holder: string, from: number, to: number): void {
    this.#byCount[from]?.delete(holder);
    if (to > 0) (this.#byCount[to] ??= new Set()).add(holder);
  }
}
