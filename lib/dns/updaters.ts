/** The update engines of all nameservers, and which of them a change goes to. */

import type { AddressType, Change } from "../change.ts";
import type { Hostname } from "../hostname.ts";
import type { Log } from "../log.ts";
import { type Nameserver, nameserverId } from "../nameserver.ts";
import type { Work } from "../slices.ts";
import type { Zones } from "../zones.ts";
import type { Result } from "./host_record.ts";
import { Nsupdate } from "./nsupdate.ts";
import { Updater, type UpdaterWatch } from "./updater.ts";

export interface UpdatersSettings {
  /** For hosts in none of the zones. */
  nameserver: Nameserver;
  zones: Zones;
  /** Milliseconds to wait for a nameserver. */
  timeout: number;
  /** Milliseconds between two changes of one record. */
  minInterval: number;
  /** Milliseconds for which what a nameserver said is believed. */
  recheck: number;
}

export interface UpdatersOptions extends UpdatersSettings {
  log: Log;
  watch?: UpdaterWatch | undefined;
  connect?: (nameserver: Nameserver, timeout: number) => Nsupdate;
}

interface Engine {
  readonly updater: Updater;
  nsupdate: Nsupdate;
}

const MAX_RETIRED = 100;

export class Updaters {
  readonly #log: Log;
  readonly #watch: UpdaterWatch | undefined;
  readonly #connect: (nameserver: Nameserver, timeout: number) => Nsupdate;
  /** By nameserverId. */
  readonly #engines = new Map<string, Engine>();
  /** The newest of those that were replaced: they may have sessions that are about to end. */
  #retired: Nsupdate[] = [];
  #settings: UpdatersSettings;
  #default!: Updater;
  #isFlushed = false;

  constructor({ log, watch, connect = connectTo, ...settings }: UpdatersOptions) {
    this.#log = log;
    this.#watch = watch;
    this.#connect = connect;
    this.#settings = settings;
    this.#apply(settings, new Set());
  }

  /**
   * Makes the records so; a result a record, in order, and not a promise where
   * nothing has to be sent. Never throws.
   *
   * @param belongTogether whether those of one zone go in one UPDATE
   */
  set(
    changes: readonly Change[],
    belongTogether = false,
  ): readonly Result[] | Promise<readonly Result[]> {
    const [first] = changes;
    if (first === undefined) return [];
    const updater = this.#updaterOf(first);
    if (changes.every((change) => this.#updaterOf(change) === updater)) {
      return updater.set(changes, belongTogether);
    }
    return this.#setEach(changes, belongTogether);
  }

  /** Whether the record is known to be so: set() would send nothing. */
  isKnown(change: Change): boolean {
    return this.#updaterOf(change).isKnown(change);
  }

  /** Whether a change of the record waits or is under way. */
  isWanted(name: Hostname, type: AddressType): boolean {
    return this.#updaterOf({ name }).isWanted(name, type);
  }

  /** The address that the record had when it was last known, "none" if it had none; undefined: never. */
  addressOf(name: Hostname, type: AddressType): string | undefined {
    return this.#updaterOf({ name }).addressOf(name, type);
  }

  /** Records that wait for a change, and nsupdate's sessions. */
  get load(): { waiting: number; sessions: number } {
    let waiting = 0;
    let sessions = this.#retired.reduce((sum, nsupdate) => sum + nsupdate.sessions, 0);
    for (const { updater, nsupdate } of this.#engines.values()) {
      waiting += updater.waiting;
      sessions += nsupdate.sessions;
    }
    return { waiting, sessions };
  }

  /** Changes that wait for their record's interval are made now, and later ones at once. */
  flush(): void {
    this.#isFlushed = true;
    for (const { updater } of this.#engines.values()) updater.flush();
  }

  /**
   * Goes on with other settings, with fresh sessions that read their key files
   * anew. What waits is not lost, and what is known stays known, unless the
   * nameserver is another or nobody has the host any more.
   *
   * @param hosts everyone's, who is served with the new settings
   * @param onApplied called in the moment in which the settings take effect
   */
  *reconfigure(
    settings: UpdatersSettings,
    hosts: Iterable<Hostname>,
    onApplied = () => {},
  ): Work {
    const known = new Set<Hostname>();
    for (const { updater } of this.#engines.values()) {
      for (const name of updater.names()) {
        known.add(name);
        yield;
      }
    }
    const kept = new Set<Hostname>();
    if (known.size > 0) {
      for (const name of hosts) {
        if (known.has(name)) kept.add(name);
        yield;
      }
    }
    // What is being ended gets no fresh sessions.
    if (this.#isFlushed) return;
    this.#settings = settings;
    const left = this.#apply(settings, kept);
    onApplied();
    for (const work of left) yield* work;
  }

  /** Ends all sessions. */
  async close(): Promise<void> {
    const current = [...this.#engines.values()].map(({ nsupdate }) => nsupdate);
    await Promise.all([...current, ...this.#retired].map((nsupdate) => nsupdate.close()));
  }

  /** What goes to several nameservers: each gets its changes at once. */
  async #setEach(
    changes: readonly Change[],
    belongTogether: boolean,
  ): Promise<readonly Result[]> {
    const byUpdater = Map.groupBy(changes, (change) => this.#updaterOf(change));
    const results = new Map<Change, Result>();
    await Promise.all(
      [...byUpdater].map(async ([updater, own]) => {
        const made = await updater.set(own, belongTogether);
        own.forEach((change, i) => results.set(change, made[i]!));
      }),
    );
    return changes.map((change) => results.get(change)!);
  }

  #retire(nsupdate: Nsupdate): void {
    nsupdate.retire();
    this.#retired = [...this.#retired, nsupdate].slice(-MAX_RETIRED);
  }

  #updaterOf({ name }: Pick<Change, "name">): Updater {
    const zone = this.#settings.zones.of(name);
    if (zone === undefined) return this.#default;
    return this.#engines.get(nameserverId(zone.nameserver))!.updater;
  }

  /** Returns what is left to do with the records. */
  #apply(settings: UpdatersSettings, kept: ReadonlySet<Hostname>): Work[] {
    const left: Work[] = [];
    const { nameserver, zones, timeout } = settings;
    const former = new Map(this.#engines);
    const before = [...former.values()].map(({ updater }) => updater);
    this.#engines.clear();
    for (const each of [nameserver, ...zones.all.map((zone) => zone.nameserver)]) {
      const id = nameserverId(each);
      if (this.#engines.has(id)) continue;
      const nsupdate = this.#connect(each, timeout);
      const engine = former.get(id);
      former.delete(id);
      if (engine === undefined) {
        const updater = new Updater({ ...settings, nsupdate, log: this.#log, watch: this.#watch });
        this.#engines.set(id, { updater, nsupdate });
      } else {
        const isOwn = (name: Hostname) =>
          nameserverId(zones.of(name)?.nameserver ?? nameserver) === id;
        const isKept = (name: Hostname) =>
          kept.has(name) && (zones.all.length === 0 || isOwn(name));
        left.push(engine.updater.reconfigure({ ...settings, nsupdate }, isKept));
        this.#retire(engine.nsupdate);
        this.#engines.set(id, { updater: engine.updater, nsupdate });
      }
    }
    // Those that nobody's zone needs any more make what waits, and end.
    for (const { updater, nsupdate } of former.values()) {
      updater.flush();
      this.#retire(nsupdate);
    }
    this.#default = this.#engines.get(nameserverId(nameserver))!.updater;
    for (const updater of before) {
      for (const record of updater.unfinished()) {
        const next = this.#updaterOf(record);
        if (next !== updater) next.doubt(record);
      }
    }
    return left;
  }
}

function connectTo(nameserver: Nameserver, timeout: number): Nsupdate {
  return new Nsupdate({ nameserver, timeout });
}
