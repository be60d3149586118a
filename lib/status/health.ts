/** What is wrong around sftdyn, a line each: found out for whoever asks. */

import { recordType } from "../change.ts";
import type { ClientHost } from "../clients.ts";
import type { Config } from "../config/config.ts";
import { count } from "../count.ts";
import { delay as realDelay } from "../delay.ts";
import { type Answer, Nsupdate } from "../dns/nsupdate.ts";
import { ALIAS_REASON } from "../dns/reason.ts";
import type { Hostname } from "../hostname.ts";
import { expiryOf } from "../http/certificate_expiry.ts";
import { type Nameserver, nameserverId, nameserverText } from "../nameserver.ts";
import { inSlices, type Work } from "../slices.ts";
import { Kept } from "./kept.ts";

export interface HealthOptions {
  /** What is served now. */
  config: () => Pick<
    Config,
    "nameserver" | "zones" | "timeout" | "clients" | "https" | "certificate"
  >;
  /** Hosts that hooks have named. */
  others?: () => Iterable<Hostname>;
  /** What is wrong with files, so that what they held before is still used. */
  fileFaults: () => readonly string[];
  /** A nameserver, reached with its key; it waits so many milliseconds. */
  connect?: (nameserver: Nameserver, timeout: number) => Pick<Nsupdate, "probe" | "close">;
  now?: () => Date;
  delay?: (ms: number) => Promise<unknown>;
}

/** Milliseconds that a nameserver has to answer, where the configuration does not give it less. */
const PATIENCE = 5000;
/** Milliseconds for which what the nameservers said is believed. */
const FRESH = 500;
/** Nameservers at a time: to start a program takes all of Deno's attention. */
const AT_ONCE = 4;

export class Health {
  readonly #options: Required<HealthOptions>;
  readonly #nameservers: Kept<string[]>;

  constructor(options: HealthOptions) {
    this.#options = {
      connect: (nameserver, timeout) => new Nsupdate({ nameserver, timeout, maxSessions: 1 }),
      others: () => [],
      now: () => new Date(),
      delay: realDelay,
      ...options,
    };
    this.#nameservers = new Kept(() => this.#probeAll(), {
      of: this.#options.config,
      least: FRESH,
      rest: 0,
      delay: this.#options.delay,
    });
  }

  /** A line each; empty if all is well. It takes twice PATIENCE at most. */
  async faults(): Promise<string[]> {
    const { config, fileFaults, now } = this.#options;
    const nameservers = await this.#nameservers.get();
    const { https, certificate } = config();
    const [level, message] = (https.length > 0 && expiryOf(certificate!, now())) || [];
    const expired = level === "error" ? [`certificate "${certificate!.files[0]}": ${message}`] : [];
    return [...nameservers, ...expired, ...fileFaults()];
  }

  /** Of each nameserver, whether it would take an update of the first host that it has. */
  async #probeAll(): Promise<string[]> {
    const { config, others, now } = this.#options;
    const all = await inSlices(firstHosts(config(), others()));
    const faults: string[] = [];
    const deadline = now().getTime() + PATIENCE;
    for (let i = 0; i < all.length; i += AT_ONCE) {
      if (i > 0 && now().getTime() >= deadline) {
        const left = count(all.length - i, "more nameserver");
        faults.push(`${left} not asked, as the others do not answer in time`);
        break;
      }
      const some = all.slice(i, i + AT_ONCE);
      faults.push(...(await Promise.all(some.map((host) => this.#probe(host)))).flat());
    }
    return faults;
  }

  async #probe({ nameserver, zone, host: { name, family = 4 } }: FirstHost): Promise<string[]> {
    const { config, connect, delay } = this.#options;
    const timeout = Math.min(config().timeout, PATIENCE);
    const nsupdate = connect(nameserver, timeout);
    const late = delay(timeout).then((): Answer => ({
      kind: "late",
      reason: `no answer in ${timeout / 1000} s`,
    }));
    try {
      const probing = nsupdate.probe(zone, [{ name, type: recordType({ family }) }]);
      const answer = await Promise.race([probing, late]);
      // An alias is the host's own fault: the nameserver answers, and knows the key.
      if (!("reason" in answer) || answer.reason === ALIAS_REASON) return [];
      return [`${nameserverText(nameserver)}, asked about ${name}: ${answer.reason}`];
    } finally {
      void nsupdate.close();
    }
  }
}

interface FirstHost {
  readonly nameserver: Nameserver;
  readonly host: Pick<ClientHost, "name" | "family">;
  /** undefined: it must be found. */
  readonly zone: Hostname | undefined;
}

/** Each nameserver that has a host, with the first one. */
function* firstHosts(
  { clients, nameserver, zones }: Pick<Config, "clients" | "nameserver" | "zones">,
  others: Iterable<Hostname>,
): Work<FirstHost[]> {
  const names = new Set(
    [nameserver, ...zones.all.map((zone) => zone.nameserver)].map(nameserverId),
  );
  const found = new Set<Nameserver>();
  const all = new Map<string, FirstHost>();
  for (const host of hostsOf(clients, others)) {
    const zone = zones.of(host.name);
    const own = zone?.nameserver ?? nameserver;
    if (!found.has(own)) {
      found.add(own);
      const id = nameserverId(own);
      if (!all.has(id)) all.set(id, { nameserver: own, host, zone: zone?.name });
      if (all.size === names.size) break;
    }
    yield;
  }
  return [...all.values()];
}

function* hostsOf(
  clients: Config["clients"],
  others: Iterable<Hostname>,
): Generator<FirstHost["host"]> {
  yield* clients.all();
  for (const name of others) yield { name };
}
