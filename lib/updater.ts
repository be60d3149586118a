/** Which records must change, in which order; and the addresses that are known to be in the zone. */

import { type Address, local } from "./address.ts";
import type { Host } from "./clients.ts";
import type { Log } from "./log.ts";
import type { Nsupdate } from "./nsupdate.ts";

/** What became of a host's record; BUSY: too many wait already. */
export type Result = "OK" | "UPTODATE" | "FAIL" | "BUSY";

export interface Updater {
  /** Makes the address the host's only one of its family. Never throws. */
  set(host: Host, address: Address): Promise<Result>;
}

export interface UpdaterOptions {
  nsupdate: Nsupdate;
  log: Log;
  /** Changes that may wait or be under way. */
  maxWaiting?: number;
  /** Changes that are under way at a time. */
  maxRunning?: number;
}

export function createUpdater(
  { nsupdate, log, maxWaiting = 10_000, maxRunning = 8 }: UpdaterOptions,
): Updater {
  /** By record, `NAME TYPE`: as many as the configuration has hosts, twice. */
  const known = new Map<string, string>();
  /** The last change that waits or runs, by record. */
  const last = new Map<string, Promise<Result>>();
  const slots: (() => void)[] = [];
  let running = 0, waiting = 0;

  async function change({ name, ttl }: Host, address: Address): Promise<Result> {
    const { family, text } = address;
    const type = family === 4 ? "A" : "AAAA";
    const record = `${name} ${type}`;
    const before = known.get(record);
    if (before === text) return "UPTODATE";
    if (running >= maxRunning) await new Promise<void>((resolve) => slots.push(resolve));
    else running++;
    const outcome = await nsupdate.send({ name, type, ttl, address: text });
    const next = slots.shift();
    if (next === undefined) running--;
    else next();
    if (outcome.ok) {
      known.set(record, text);
      const reach = local(address);
      log.info(`${record} ${before ?? "?"} -> ${text}${reach === undefined ? "" : ` (${reach})`}`);
      return "OK";
    }
    known.delete(record);
    log.error(`${record} could not become ${text}: ${outcome.reason}`);
    return "FAIL";
  }

  return {
    async set(host, address) {
      if (waiting >= maxWaiting) return "BUSY";
      waiting++;
      const record = `${host.name} ${address.family}`;
      const mine = (last.get(record) ?? Promise.resolve()).then(() => change(host, address));
      last.set(record, mine);
      try {
        return await mine;
      } finally {
        waiting--;
        if (last.get(record) === mine) last.delete(record);
      }
    },
  };
}
