/**
 * Throwaway nameservers of three makes, alike for the tests: on a free
 * loopback port, with their files in a temporary folder and a TSIG key of ours.
 */

import { DatabaseSync } from "node:sqlite";
import { copyProgram, dig, freePort, output, startNamed } from "../../tools/named.ts";
import { ServerProcess } from "../../tools/server_process.ts";
import { findProgram, SetupError } from "../../tools/setup.ts";
import { until } from "./sftdyn.ts";

export interface NameserverOptions {
  /** The zones that it serves, each updatable by the key. */
  zones?: string[];
}

export interface KnotOptions extends NameserverOptions {
  /** The only names whose addresses the key may change; every record if not given. */
  names?: string[];
}

export interface Nameserver {
  readonly port: number;
  /** The TSIG key in BIND's form, for `nsupdate -k`. */
  readonly keyFile: string;
  readonly secret: string;
  /** What `dig +short` says of a name's records. */
  dig(name: string, type: string): Promise<string[]>;
  /** The serial number of a zone. */
  serial(zone: string): Promise<string>;
  /** Changes records by hand, with lines for nsupdate. */
  change(...lines: string[]): Promise<void>;
  kill(signal: Deno.Signal): void;
  /** Kills it with SIGKILL, and waits until nothing is left of it. */
  killed(): Promise<void>;
  /** Starts it once more after it ended, on the same port and files. */
  restart(): Promise<void>;
  /** Ends it, waits for that, and removes its files. */
  stop(): Promise<void>;
  /** What it logged since it was started last. */
  log(): string;
}

const ZONES = ["dyn.example"];
const KEY = "sftdyn";
const ALGORITHM = "hmac-sha512";

/** A BIND that takes updates with a key of ours, not with its session key. */
export function startBind({ zones = ZONES }: NameserverOptions = {}): Promise<Nameserver> {
  return inFolder("bind", async (folder) => {
    const key = await makeKey(folder);
    // Without check-names BIND has no address at a name with an underscore.
    const policy = `update-policy { grant ${KEY} zonesub ANY; }; check-names ignore;`;
    const named = await startNamed({ zones, policy, extra: key.text });
    return new Server(folder, key, named.port, named);
  });
}

export function startKnot(options: KnotOptions = {}): Promise<Knot> {
  return inFolder("knot", async (folder) => {
    const { zones = ZONES, names } = options;
    const key = await makeKey(folder);
    const port = freePort();
    const program = await copyProgram("knotd", folder);
    for (const zone of zones) await Deno.writeTextFile(`${folder}/${zone}.zone`, zoneFile(zone));
    // A rule that denies a name would not do: Knot applies a rule only where all
    // records of an update match it, so a second name in the update evades it.
    const owners = names === undefined ? "" : `
    update-type: [ A, AAAA ]
    update-owner: name
    update-owner-name: [ ${names.map((name) => `"${name}."`).join(", ")} ]`;
    await Deno.writeTextFile(
      `${folder}/knot.conf`,
      `server:
    rundir: "${folder}"
    listen: 127.0.0.1@${port}
    udp-workers: 1
    tcp-workers: 1
    background-workers: 1
log:
  - target: stderr
    any: info
database:
    storage: "${folder}"
key:
  - id: ${KEY}
    algorithm: ${ALGORITHM}
    secret: "${key.secret}"
acl:
  - id: update
    key: ${KEY}
    action: update${owners}
template:
  - id: default
    storage: "${folder}"
    zonefile-sync: -1
    acl: update
zone:
${zones.map((zone) => `  - domain: ${zone}\n`).join("")}`,
    );
    const args = ["-c", `${folder}/knot.conf`];
    const ready = /^(?=[^]*server started)(?=[^]*control, binding)/;
    const process = await new ServerProcess([program, ...args], ready).start();
    return new Knot(folder, key, port, process);
  });
}

/** A PowerDNS with its records in SQLite. */
export function startPowerdns({ zones = ZONES }: NameserverOptions = {}): Promise<Nameserver> {
  return inFolder("pdns", async (folder) => {
    const key = await makeKey(folder);
    const port = freePort();
    const program = await copyProgram("pdns_server", folder);
    const database = new DatabaseSync(`${folder}/database`);
    database.exec(POWERDNS_TABLES);
    database.close();
    await Deno.writeTextFile(
      `${folder}/pdns.conf`,
      `launch=gsqlite3
gsqlite3-database=${folder}/database
local-address=127.0.0.1
local-port=${port}
socket-dir=${folder}
dnsupdate=yes
disable-syslog=yes
security-poll-suffix=
`,
    );
    const pdnsutil = async (...args: string[]) =>
      output(await find("pdnsutil"), `--config-dir=${folder}`, ...args);
    await pdnsutil("import-tsig-key", KEY, ALGORITHM, key.secret);
    for (const zone of zones) {
      await Deno.writeTextFile(`${folder}/${zone}.zone`, zoneFile(zone));
      await pdnsutil("load-zone", zone, `${folder}/${zone}.zone`);
      await pdnsutil("set-meta", zone, "TSIG-ALLOW-DNSUPDATE", KEY);
    }
    const args = [`--config-dir=${folder}`, "--daemon=no", "--guardian=no"];
    const process = await new ServerProcess([program, ...args], /ready to distribute/).start();
    return new Server(folder, key, port, process);
  });
}

/** What the SQLite backend reads and writes; its package has the tables only among its documents. */
const POWERDNS_TABLES = `
CREATE TABLE domains (
  id INTEGER PRIMARY KEY, name TEXT NOT NULL COLLATE NOCASE UNIQUE, master TEXT,
  last_check INTEGER, type TEXT NOT NULL, notified_serial INTEGER, account TEXT,
  options TEXT, catalog TEXT
);
CREATE TABLE records (
  id INTEGER PRIMARY KEY, domain_id INTEGER, name TEXT, type TEXT, content TEXT, ttl INTEGER,
  prio INTEGER, disabled BOOLEAN DEFAULT 0, ordername TEXT, auth BOOL DEFAULT 1
);
CREATE INDEX records_lookup ON records(name, type);
CREATE INDEX records_order ON records(domain_id, ordername);
CREATE TABLE supermasters (ip TEXT NOT NULL, nameserver TEXT NOT NULL, account TEXT NOT NULL);
CREATE TABLE comments (
  id INTEGER PRIMARY KEY, domain_id INTEGER NOT NULL, name TEXT NOT NULL, type TEXT NOT NULL,
  modified_at INTEGER NOT NULL, account TEXT, comment TEXT NOT NULL
);
CREATE TABLE domainmetadata (
  id INTEGER PRIMARY KEY, domain_id INTEGER NOT NULL, kind TEXT COLLATE NOCASE, content TEXT
);
CREATE TABLE cryptokeys (
  id INTEGER PRIMARY KEY, domain_id INTEGER NOT NULL, flags INTEGER NOT NULL, active BOOL,
  published BOOL DEFAULT 1, content TEXT
);
CREATE TABLE tsigkeys (
  id INTEGER PRIMARY KEY, name TEXT COLLATE NOCASE, algorithm TEXT COLLATE NOCASE, secret TEXT
);
`;

interface Key {
  file: string;
  text: string;
  secret: string;
}

async function makeKey(folder: string): Promise<Key> {
  const file = `${folder}/key`;
  const text = await output(await find("tsig-keygen"), "-a", ALGORITHM, KEY);
  await Deno.writeTextFile(file, text, { mode: 0o600 });
  return { file, text, secret: /secret "([^"]+)"/.exec(text)![1]! };
}

function zoneFile(zone: string): string {
  return `$ORIGIN ${zone}.
$TTL 60
@ IN SOA ns.${zone}. admin.${zone}. 1 3600 600 86400 60
@ IN NS ns.${zone}.
ns IN A 127.0.0.1
`;
}

async function find(program: string): Promise<string> {
  const file = await findProgram(program);
  if (file === undefined) throw new SetupError(`missing program: ${program}`);
  return file;
}

/** Where it cannot be started, its folder goes. */
async function inFolder<T>(name: string, start: (folder: string) => Promise<T>): Promise<T> {
  const folder = await Deno.makeTempDir({ prefix: `sftdyn-${name}-` });
  try {
    return await start(folder);
  } catch (error) {
    await Deno.remove(folder, { recursive: true });
    throw error;
  }
}

class Server implements Nameserver {
  constructor(
    readonly folder: string,
    readonly key: Key,
    readonly port: number,
    readonly process: Pick<ServerProcess, "kill" | "killed" | "restart" | "stop" | "log">,
  ) {}

  get keyFile(): string {
    return this.key.file;
  }

  get secret(): string {
    return this.key.secret;
  }

  dig(name: string, type: string): Promise<string[]> {
    return dig(this.port, name, type);
  }

  async serial(zone: string): Promise<string> {
    const [soa] = await this.dig(zone, "SOA");
    return soa!.split(" ")[2]!;
  }

  async change(...lines: string[]): Promise<void> {
    const script = `${this.folder}/script`;
    const text = [`server 127.0.0.1 ${this.port}`, ...lines, "send", ""].join("\n");
    await Deno.writeTextFile(script, text);
    await output("nsupdate", "-t", "10", "-k", this.keyFile, script);
  }

  kill(signal: Deno.Signal): void {
    this.process.kill(signal);
  }

  killed(): Promise<void> {
    return this.process.killed();
  }

  restart(): Promise<void> {
    return this.process.restart();
  }

  log(): string {
    return this.process.log();
  }

  async stop(): Promise<void> {
    await this.process.stop();
    await Deno.remove(this.folder, { recursive: true });
  }
}

export class Knot extends Server {
  /** Runs `knotc` on it; what that printed. */
  async knotc(...args: string[]): Promise<string> {
    return output(await find("knotc"), "-c", `${this.folder}/knot.conf`, ...args);
  }

  /** Refuses updates of a zone, or takes them again, from when this is done: both are events to Knot. */
  async setFrozen(zone: string, isFrozen: boolean): Promise<void> {
    await this.knotc(isFrozen ? "zone-freeze" : "zone-thaw", zone);
    // While it is thawed, some versions print no word for it.
    await until(`${zone} is ${isFrozen ? "frozen" : "thawed"}`, async () => {
      const [, state = "no"] = /freeze: (\w+)/.exec(await this.knotc("zone-status", zone)) ?? [];
      return state === (isFrozen ? "yes" : "no");
    });
  }
}
