/** An update engine before a simulated nameserver. */

import { parseAddress } from "../../lib/address.ts";
import type { Change } from "../../lib/change.ts";
import { type Result, Updater, type UpdaterOptions } from "../../lib/dns/updater.ts";
import { parseHostname } from "../../lib/hostname.ts";
import type { Log } from "../../lib/log.ts";
import { atOnce } from "../../lib/slices.ts";
import { type Zone, Zones } from "../../lib/zones.ts";
import type { FakeTime } from "../fake_time.ts";
import { SimulatedNameserver } from "./simulated_nameserver.ts";

export const A = "a.dyn.example", B = "b.dyn.example", C = "c.other.example";

/** An address that is to be there, or "none" of a type. */
export function change(name: string, address: string | undefined, ttl = 30): Change {
  const type = address?.includes(":") ? "AAAA" : "A";
  const parsed = address === undefined ? undefined : parseAddress(address)!;
  return { name: parseHostname(name), type, ttl, address: parsed };
}

export interface Asked {
  result: Result | undefined;
  /** Milliseconds until the answer. */
  took: number;
}

/** An engine before a simulated nameserver. */
export class World {
  readonly server: SimulatedNameserver;
  readonly updater: Updater;
  readonly lines: string[] = [];
  readonly time: FakeTime;
  readonly settings: UpdaterOptions;

  constructor(
    time: FakeTime,
    options: Partial<UpdaterOptions> = {},
    { zones = ["dyn.example", "other.example"], delay = 1 } = {},
  ) {
    this.time = time;
    this.server = new SimulatedNameserver(time, zones, delay);
    const line = (level: string) => (text: string) => void this.lines.push(`${level}: ${text}`);
    const log: Log = {
      error: line("error"),
      warning: line("warning"),
      info: line("info"),
      debug: () => {},
    };
    this.settings = {
      nsupdate: this.server,
      zones: new Zones(),
      minInterval: 0,
      recheck: 300_000,
      log,
      now: time.now,
      ...options,
    };
    this.updater = new Updater(this.settings);
  }

  /** Begins a request. */
  ask(name: string, address: string | undefined, ttl?: number): Asked {
    const { now } = this.time;
    const at = now();
    const asked: Asked = { result: undefined, took: NaN };
    void Promise.resolve(this.updater.set([change(name, address, ttl)])).then(([result]) => {
      asked.result = result;
      asked.took = now() - at;
    });
    return asked;
  }

  /** A request's result, which must be there soon. */
  async set(name: string, address: string | undefined, ttl?: number): Promise<Result | undefined> {
    const asked = this.ask(name, address, ttl);
    await this.time.pass(100);
    return asked.result;
  }

  /** Goes on with these settings besides those that there are. */
  reconfigure(settings: Partial<UpdaterOptions>, names: string[] = [A, B, C]): void {
    Object.assign(this.settings, settings);
    atOnce(this.updater.reconfigure(this.settings, (name) => names.includes(name)));
  }

  /** How many messages of each kind there were: asks, sets. */
  get counts(): [number, number] {
    return [this.server.sent("ask").length, this.server.sent("set").length];
  }
}

export function times<T>(count: number, make: (i: number) => T): T[] {
  return Array.from({ length: count }, (_, i) => make(i));
}

export function zoneNamed(name: string): Zone {
  return {
    name: parseHostname(name),
    nameserver: { endpoint: undefined, keyFile: undefined },
    ttl: 30,
  };
}

export const results = (asked: Asked[]) => asked.map(({ result }) => result);
export const soMany = (asked: Asked[]) => {
  const counts: Record<string, number> = {};
  for (const { result } of asked) counts[`${result}`] = (counts[`${result}`] ?? 0) + 1;
  return counts;
};
