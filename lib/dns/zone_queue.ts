/** What waits for one zone, and what of it is under way: no zone delays another. */

import type { Change } from "../change.ts";
import type { HostRecord, Pending } from "./host_record.ts";
import { Lane } from "./lane.ts";
import type { MessageKind } from "./message_limit.ts";
import type { Pace } from "./pace.ts";

/** A record in a message. */
export interface Item {
  readonly record: HostRecord;
  readonly change: Change;
  /** Who waits for a set; of an ask they go on waiting in the record. */
  readonly pending: Pending | undefined;
}

/** What goes apart from the others: a record, or a part of a message that was not true or refused as a whole. */
export type Part =
  | { readonly record: HostRecord }
  | { readonly kind: MessageKind; readonly items: readonly Item[]; readonly siblings: Siblings };

/** The parts of one message. */
export interface Siblings {
  /** How many had to be taken apart again. */
  broken: number;
}

/** Milliseconds for which a refusal makes unproven records go alone, and a silence all that comes late. */
const DISTRUST = 60_000;
/** Of all sessions, what silent zones may have, and with them those that have not answered yet. */
const SILENT_SHARE = 0.25;
export const UNKNOWN_SHARE = 0.75;
/** Of parts, messages at a time. */
const MAX_APART = 8;

export class ZoneQueue {
  readonly asks = new Set<HostRecord>();
  readonly sets = new Set<HostRecord>();
  readonly apart: Lane<Part>;
  /** Whether its messages are being sent, one after the other. */
  isRunning = false;
  /** Whether an ask went last, so that neither kind waits for all of the other. */
  didAsk = false;
  #refusedAt = -Infinity;
  #lateAt = -Infinity;
  /** When each message under way was sent, the oldest first. */
  readonly #underWay = new Map<symbol, number>();
  #answeredAt = -Infinity;

  constructor(
    readonly name: string,
    /** Whether the configuration names it, so that it need not be found. */
    readonly isConfigured: boolean,
    readonly pace: Pace,
    now: () => number,
    runApart: (queue: ZoneQueue, part: Part) => Promise<void>,
  ) {
    this.apart = new Lane({
      run: (part) => runApart(this, part),
      max: MAX_APART,
      isFar: () => pace.isFar,
      now,
    });
  }

  /** How many wait to go together. */
  get waiting(): number {
    return this.asks.size + this.sets.size;
  }

  get isIdle(): boolean {
    return this.waiting + this.apart.size + this.#underWay.size === 0 && !this.isRunning;
  }

  get underWay(): number {
    return this.#underWay.size;
  }

  /** Begins a message, which is sent now or, undefined, waits for a session. */
  begin(sentAt?: number): { sent: (now: number) => void; end: () => void } {
    const id = Symbol();
    const sent = (now: number) => {
      this.#underWay.delete(id);
      this.#underWay.set(id, now);
    };
    sent(sentAt ?? Infinity);
    return { sent, end: () => this.#underWay.delete(id) };
  }

  /** The part of the sessions that zones like this one share: the last ones are for those that answer. */
  share(now: number): number {
    if (this.isSilent(now) || this.#lateAt > this.#answeredAt) return SILENT_SHARE;
    return this.#answeredAt === -Infinity ? UNKNOWN_SHARE : 1;
  }

  /** It has said something. */
  answered(now: number): void {
    this.#answeredAt = now;
  }

  late(now: number): void {
    this.#lateAt = now;
  }

  /**
   * Whether something is under way for a while, and nothing was answered since it was sent: what
   * is sent now would wait as well. One answer that got lost is no silence.
   */
  isSilent(now: number): boolean {
    for (const at of this.#underWay.values()) {
      if (at !== Infinity && at >= this.#answeredAt) return now - at >= this.pace.silence;
    }
    return false;
  }

  /** Whether it was silent when it was needed last. */
  wasSilent(now: number): boolean {
    return this.isSilent(now) || now - this.#lateAt < DISTRUST;
  }

  refused(now: number): void {
    this.#refusedAt = now;
  }

  /** Whether records that were never set are to go alone: one of them may be refused. */
  isSuspicious(now: number): boolean {
    return now - this.#refusedAt < DISTRUST;
  }
}

/** Takes a message apart: in two, or in eight where a sibling was broken too. */
export function partsOf(kind: MessageKind, items: readonly Item[], siblings: Siblings): Part[] {
  const count = Math.min(items.length, siblings.broken++ === 0 ? 2 : 8);
  const size = Math.ceil(items.length / count);
  const own: Siblings = { broken: 0 };
  const parts: Part[] = [];
  for (let i = 0; i < items.length; i += size) {
    parts.push({ kind, items: items.slice(i, i + size), siblings: own });
  }
  return parts;
}
