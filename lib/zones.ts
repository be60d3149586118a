/** The zones that the configuration names, each with the nameserver that takes its updates. */

import type { Hostname } from "./hostname.ts";
import type { Nameserver } from "./nameserver.ts";

export interface Zone {
  readonly name: Hostname;
  readonly nameserver: Nameserver;
  /** Seconds, for hosts that have none of their own. */
  readonly ttl: number;
}

export class Zones {
  readonly #zones: ReadonlyMap<string, Zone>;

  constructor(zones: readonly Zone[] = []) {
    this.#zones = new Map(zones.map((zone) => [zone.name, zone]));
  }

  get all(): Zone[] {
    return [...this.#zones.values()];
  }

  /** The zone with the longest name that ends this one, at a label's boundary; undefined if none does. */
  of(name: Hostname): Zone | undefined {
    if (this.#zones.size === 0) return undefined;
    for (let rest: string = name;;) {
      const zone = this.#zones.get(rest);
      if (zone !== undefined) return zone;
      const dot = rest.indexOf(".");
      if (dot < 0) return undefined;
      rest = rest.slice(dot + 1);
    }
  }
}
