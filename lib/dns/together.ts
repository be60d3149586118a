/** Records that are set in one UPDATE, and wait for one another until all of them can be. */

import type { HostRecord } from "./host_record.ts";

/** The zone that a record is in, as far as that is known. */
type ZoneOf = (record: HostRecord) => string | undefined;

/**
 * Has the records of each name set in one UPDATE, or those of each zone.
 *
 * @param zoneOf there if those of one zone belong together
 */
export function putTogether(records: readonly HostRecord[], zoneOf?: ZoneOf): void {
  // One that was refused goes apart, and the others do not wait for it.
  const healthy = records.filter(({ wasRefused }) => !wasRefused);
  const groups = zoneOf === undefined
    ? Map.groupBy(healthy, ({ name }) => name)
    : groupByZone(healthy, zoneOf);
  for (const own of groups.values()) {
    const together = new Set(own);
    if (together.size < 2) continue;
    // They may be already, for an earlier request.
    for (const { pending } of together) pending!.together ??= together;
  }
}

/** A zone that is not known yet may be the same as another's, which shows when it is found. */
function groupByZone(records: readonly HostRecord[], zoneOf: ZoneOf) {
  const zones = new Map<string, string>();
  for (const record of records) {
    const zone = zoneOf(record);
    if (zone !== undefined) zones.set(record.name, zone);
  }
  const [any] = zones.values();
  return Map.groupBy(records, ({ name }) => zones.get(name) ?? any);
}

/**
 * Has a record whose zone was found now, and the other of its name, no longer wait
 * for those in other zones.
 *
 * @returns those that were held, and may be no more
 */
export function partFromOtherZones(record: HostRecord, zoneOf: ZoneOf): HostRecord[] {
  const isNear = (other: HostRecord) => (zoneOf(other) ?? record.zone) === record.zone;
  return othersOf(record).every(isNear) ? [] : partFromOthers(record);
}

/** Likewise, those of all other names. */
export function partFromOthers(record: HostRecord): HostRecord[] {
  if (othersOf(record).length === 0) return [];
  const { together } = record.pending!;
  const own = waitingOf(together).filter(({ name }) => name === record.name);
  const left = own.length < 2 ? undefined : new Set(own);
  for (const { pending } of own) pending!.together = left;
  return [...heldOf(together), ...heldOf(left)];
}

/** Those of other names that it is to be set with. */
function othersOf({ name, pending }: HostRecord): HostRecord[] {
  return waitingOf(pending?.together).filter((other) => other.name !== name);
}

/** Those of these that have not been set, or parted from the others. */
function waitingOf(together: ReadonlySet<HostRecord> | undefined): HostRecord[] {
  return [...together ?? []].filter(({ pending }) => pending?.together === together);
}

/** Those that wait for others of these. */
export function heldOf(together: ReadonlySet<HostRecord> | undefined): HostRecord[] {
  return waitingOf(together).filter(({ isHeld }) => isHeld);
}

/** Whether none of these has to be waited for. */
export function areReady(together: ReadonlySet<HostRecord>): boolean {
  for (const { pending } of together) {
    if (pending?.together === together && !pending.isReady) return false;
  }
  return true;
}
