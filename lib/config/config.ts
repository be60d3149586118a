/** sftdyn.toml and the command line's overrides to a Config in which everything is checked. */

import { type Network, parseNetwork } from "../address.ts";
import type { ClientList } from "../clients.ts";
import { closestWord } from "../closest_word.ts";
import type { Dyndns2Settings } from "../dyndns2_settings.ts";
import { type Endpoint, endpointText, parseListen, parseNameserver } from "../endpoint.ts";
import { checkText, FileError, type ReadFile, readOctets, readText, relativeTo } from "../file.ts";
import { type Hostname, parseZoneName } from "../hostname.ts";
import { type Certificate, CertificateError, loadCertificate } from "../http/certificate.ts";
import { LOG_FORMATS, type LogFormat } from "../log.ts";
import type { Nameserver } from "../nameserver.ts";
import { PROXY_HEADERS, type ProxyHeader } from "../proxy_header.ts";
import { inSlices } from "../slices.ts";
import type { StatusSettings } from "../status_settings.ts";
import { type Zone, Zones } from "../zones.ts";
import { ClientFiles, type ClientFilesOptions } from "./client_files.ts";
import type { ClientTable } from "./client_reader.ts";
import { ClientTableReader, type PrefixClient, TTL_RANGE } from "./client_table.ts";
import { readDyndns2 } from "./dyndns2.ts";
import { readStatus } from "./status.ts";
import { Faults, type NumberRange, type Setting, settingOf, typeName } from "./settings.ts";
import { type Fault, readToml, type TomlNode, type TomlTable } from "./toml.ts";
import { withdrawAfterOf } from "./withdraw_after.ts";

export interface Config extends ClientTable {
  readonly http: readonly Endpoint[];
  readonly https: readonly Endpoint[];
  /** There if https is. */
  readonly certificate: Certificate | undefined;
  /** For hosts in none of the zones. */
  readonly nameserver: Nameserver;
  readonly zones: Zones;
  /** Milliseconds to wait for the nameserver. */
  readonly timeout: number;
  /** Milliseconds between two changes of one record. */
  readonly minInterval: number;
  /** Milliseconds for which what the nameserver said is believed. */
  readonly recheck: number;
  /** At a time, and as many of trusted proxies. */
  readonly maxConnections: number;
  readonly trustedProxies: readonly Network[];
  readonly proxyHeader: ProxyHeader;
  /** undefined: not spoken. */
  readonly dyndns2: Dyndns2Settings | undefined;
  /** undefined: nobody is told how it is. */
  readonly status: StatusSettings | undefined;
  /** undefined: no host ever loses its addresses because it does not call. */
  readonly withdrawal: WithdrawalSettings | undefined;
  /** Those of all files. */
  readonly clients: ClientList;
  /** Those with hosts behind their router. */
  readonly prefixClients: readonly PrefixClient[];
  /** What `clients_file` names. */
  readonly clientFiles: ClientFiles | undefined;
  readonly log: LogFormat;
  /** The module of the hooks, an absolute path. */
  readonly hooks: string | undefined;
  /** Seconds that resolvers may cache the address of a host. */
  readonly ttlOf: (name: Hostname) => number;
}

/** After how many milliseconds without a call a host loses its addresses; Infinity: never. */
export interface WithdrawalSettings {
  /** Where its clients do not say otherwise. */
  readonly after: number;
  /** The shortest of all. */
  readonly least: number;
}

/** Settings from the command line, each as it was typed; they override the file's. */
export interface Overrides {
  readonly http?: readonly string[];
  readonly https?: readonly string[];
  readonly cert?: string;
  readonly key?: string;
  readonly nskeyfile?: string;
  readonly log?: LogFormat;
}

/** Everything that is wrong with a configuration, a line each. */
export class ConfigError extends Error {
  override name = "ConfigError";
  /** @param count how many they are; the last line may stand for many */
  constructor(readonly faults: readonly string[], readonly count = faults.length) {
    super(faults.join("\n"));
  }
}

/** What has a side effect. */
export interface ConfigEnvironment {
  readFile?: ReadFile | undefined;
  /** The folder that the command line's paths are relative to. */
  cwd?: () => string;
  /** For files of clients. */
  clientFiles?: Pick<ClientFilesOptions, "open" | "stat" | "most">;
}

/** What a configuration may set. */
export const NAMES = [
  "http",
  "https",
  "cert",
  "key",
  "nskeyfile",
  "nameserver",
  "ttl",
  "timeout",
  "min_interval",
  "recheck",
  "max_connections",
  "trusted_proxies",
  "proxy_header",
  "dyndns2",
  "clients_file",
  "status",
  "status_networks",
  "metrics_hosts",
  "withdraw_after",
  "hooks",
  "log",
  "zones",
  "clients",
] as const;
type Name = typeof NAMES[number];
const ZONE_NAMES = ["nameserver", "nskeyfile", "ttl"] as const;

const DEFAULT_TTL = 30;
/** nsupdate gives up by itself after 300 seconds (nsupdate(1)). */
const TIMEOUT = { default: 10, least: 1, most: 300 };
/** A request waits as long, and clients do not wait for ever. */
const MIN_INTERVAL = { default: 5, least: 0, most: 3600 };
const RECHECK = { default: 300, least: 0, most: 7 * 24 * 3600 };
/** sftdyn.toml.example says what each costs. */
const MAX_CONNECTIONS = { default: 1000, least: 10, most: 20_000, isWhole: true };
const SECOND = 1000;

/**
 * Reads the configuration and all files that it names.
 *
 * @throws {ConfigError} with all faults at once
 */
export async function loadConfig(
  file: string,
  overrides: Overrides = {},
  { readFile, cwd = Deno.cwd, clientFiles = {} }: ConfigEnvironment = {},
): Promise<Config> {
  let octets;
  try {
    octets = await readOctets(file, readFile);
    await inSlices(checkText(octets));
  } catch (error) {
    if (!(error instanceof FileError)) throw error;
    throw new ConfigError([`${file}: ${error.message}`]);
  }
  return await new Loader(file, overrides, { readFile, cwd, clientFiles }).load(octets);
}

class Loader {
  readonly #faults: Faults;
  #toml: TomlTable = new Map();

  constructor(
    readonly file: string,
    readonly overrides: Overrides,
    readonly environment: Required<ConfigEnvironment>,
  ) {
    this.#faults = new Faults(file);
  }

  async load(octets: Uint8Array): Promise<Config> {
    let zones = new Zones();
    let ttl = DEFAULT_TTL;
    const ttlOf = (name: Hostname) => zones.of(name)?.ttl ?? ttl;
    const table = new ClientTableReader({ faults: this.#faults, settings: NAMES, ttlOf });
    const onFault = ({ line, problem }: Fault) => this.#faults.add(line, problem);
    this.#toml = await inSlices(readToml(octets, { onFault, rows: table }));
    this.#refuseUnknown(this.#toml, NAMES, "; keys belong under [clients]");
    const http = this.#listeners("http");
    const https = this.#listeners("https");
    this.#checkListeners(http, https, this.#faults.count === table.faultCount);
    ttl = this.#faults.number(this.#setting("ttl"), TTL_RANGE) ?? DEFAULT_TTL;
    const nameserver: Nameserver = {
      endpoint: this.#endpoint(this.#setting("nameserver")),
      keyFile: await this.#readable(this.#setting("nskeyfile")),
    };
    zones = new Zones(await this.#readZones(nameserver, ttl));
    await inSlices(table.read(this.#toml.get("clients")));
    const clientFiles = await this.#clientFiles({ own: table, ttlOf });
    const config: Config = {
      file: this.file,
      http,
      https,
      certificate: await this.#certificate(https.length > 0),
      nameserver,
      zones,
      timeout: this.#milliseconds("timeout", TIMEOUT),
      minInterval: this.#milliseconds("min_interval", MIN_INTERVAL),
      recheck: this.#milliseconds("recheck", RECHECK),
      maxConnections: this.#maxConnections(),
      trustedProxies: this.#networks("trusted_proxies", '["127.0.0.1", "10.0.0.0/8"]'),
      proxyHeader: this.#proxyHeader(),
      dyndns2: readDyndns2(this.#setting("dyndns2"), this.#faults),
      status: readStatus({
        status: this.#setting("status"),
        endpoints: this.#listeners("status"),
        others: [...http, ...https],
        networks: this.#networks("status_networks", '["192.0.2.0/24"]'),
        metricsHosts: this.#setting("metrics_hosts"),
      }, this.#faults),
      withdrawal: this.#withdrawal(table.leastWithdrawAfter),
      clients: clientFiles?.clients ?? table.clients,
      prefixClients: table.prefixClients,
      clientFiles,
      log: this.#logFormat(),
      hooks: await this.#readable(this.#setting("hooks")),
      ttlOf,
      shortKeys: table.shortKeys,
      urlKeys: table.urlKeys,
      plainKeys: table.plainKeys,
      ownersOf: (host) => table.ownersOf(host),
    };
    const { faults = [], faultCount = 0 } = clientFiles ?? {};
    const count = this.#faults.count + faultCount;
    if (count > 0) throw new ConfigError([...this.#faults.lines, ...faults], count);
    return config;
  }

  #setting(name: Name): Setting | undefined {
    const override = this.overrides[name as keyof Overrides];
    if (override !== undefined) return { line: undefined, place: `--${name}`, value: override };
    return settingOf(name, this.#toml.get(name));
  }

  /** @param place in front of the fault, for a table inside */
  #refuseUnknown(table: TomlTable, known: readonly string[], hint = "", place = ""): void {
    for (const [name, { line }] of table) {
      if (known.includes(name)) continue;
      const meant = closestWord(name.toLowerCase(), known);
      // The name itself may be a key that stands above [clients].
      this.#faults.add(
        line,
        place +
          (meant === undefined
            ? `unknown name: expected one of ${known.join(", ")}${hint}`
            : `unknown name, did you mean "${meant}"?`),
      );
    }
  }

  /** A setting in seconds. */
  #milliseconds(name: Name, { default: ifUnset, ...range }: NumberRange & { default: number }) {
    return SECOND * (this.#faults.number(this.#setting(name), range) ?? ifUnset);
  }

  #logFormat(): LogFormat {
    const setting = this.#setting("log");
    const text = this.#faults.string(setting);
    const format = LOG_FORMATS.find((format) => format === text);
    if (text !== undefined && format === undefined) {
      this.#faults.of(setting!, 'expected "text" or "json"');
    }
    return format ?? "text";
  }

  #maxConnections(): number {
    const { default: ifUnset, ...range } = MAX_CONNECTIONS;
    return this.#faults.number(this.#setting("max_connections"), range) ?? ifUnset;
  }

  /** @param least of the clients that say otherwise */
  #withdrawal(least: number): WithdrawalSettings | undefined {
    const setting = this.#setting("withdraw_after");
    const after = setting === undefined
      ? Infinity
      : this.#faults.attempt(setting, () => withdrawAfterOf(setting.value)) ?? Infinity;
    least = Math.min(least, after);
    return least === Infinity ? undefined : { after, least };
  }

  #listeners(name: "http" | "https" | "status"): Endpoint[] {
    const setting = this.#setting(name);
    if (setting === undefined) return [];
    const values: unknown[] = Array.isArray(setting.value) ? setting.value : [setting.value];
    if (values.length === 0) this.#faults.of(setting, 'the list is empty: expected "PORT"');
    const endpoints: Endpoint[] = [];
    for (const value of values) {
      if (typeof value === "string" || typeof value === "number") {
        this.#faults.attempt(setting, () => endpoints.push(parseListen(`${value}`)));
      } else {
        const example = name === "status"
          ? 'an address and a port, like "127.0.0.1:9053"'
          : "a port, like 8080";
        this.#faults.of(setting, `expected ${example}, got ${typeName(value)}`);
      }
    }
    return endpoints;
  }

  #checkListeners(http: Endpoint[], https: Endpoint[], isSure: boolean): void {
    // What is misspelt or no TOML may have been one of them.
    const isUnset = this.#setting("http") === undefined && this.#setting("https") === undefined;
    if (isUnset && isSure) {
      this.#faults.add(undefined, 'nothing to listen on: set http = "8080", or https, or both');
    }
    const seen = new Set<string>();
    for (const [name, endpoints] of [["http", http], ["https", https]] as const) {
      for (const endpoint of endpoints) {
        const text = endpointText(endpoint);
        if (seen.has(text)) this.#faults.of(this.#setting(name)!, `"${text}" is listed twice`);
        seen.add(text);
      }
    }
  }

  /** The path as the process sees it: the file's are relative to the file, the command line's are not. */
  #path(setting: Setting | undefined): string | undefined {
    const path = this.#faults.string(setting);
    if (path === undefined || setting!.line === undefined) return path;
    return relativeTo(this.file, path);
  }

  /**
   * A readable file's absolute path: nsupdate is started in another folder, and a
   * module's address has no other.
   */
  async #readable(setting: Setting | undefined): Promise<string | undefined> {
    const path = this.#path(setting);
    if (path === undefined) return undefined;
    try {
      await readText(path, this.environment.readFile);
      return path.startsWith("/") ? path : `${this.environment.cwd()}/${path}`;
    } catch (error) {
      const reason = error instanceof FileError ? error.message : "its folder cannot be entered";
      this.#faults.of(setting!, `cannot read "${path}": ${reason}`);
    }
  }

  async #clientFiles(
    options: Pick<ClientFilesOptions, "own" | "ttlOf">,
  ): Promise<ClientFiles | undefined> {
    const setting = this.#setting("clients_file");
    if (setting === undefined) return undefined;
    const paths: string[] = [];
    const values: unknown[] = Array.isArray(setting.value) ? setting.value : [setting.value];
    if (values.length === 0) this.#faults.of(setting, 'the list is empty: expected "FILE"');
    for (const value of values) {
      const path = this.#path({ ...setting, value });
      if (path === undefined) continue;
      if (paths.includes(path)) this.#faults.of(setting, `"${path}" is listed twice`);
      else paths.push(path);
    }
    const place = `${this.file}: line ${setting.line}: clients_file`;
    return await ClientFiles.read({ ...this.environment.clientFiles, ...options, paths, place });
  }

  #endpoint(setting: Setting | undefined): Endpoint | undefined {
    const text = this.#faults.string(setting);
    if (text === undefined) return undefined;
    return this.#faults.attempt(setting!, () => parseNameserver(text));
  }

  async #readZones(above: Nameserver, ttl: number): Promise<Zone[]> {
    const node = this.#toml.get("zones");
    if (node === undefined) return [];
    if (!(node.value instanceof Map)) {
      this.#faults.add(node.line, 'zones: expected a table: [zones."dyn.example"]');
      return [];
    }
    const lines = new Map<string, number>();
    const zones: Zone[] = [];
    for (const [text, zone] of node.value as TomlTable) {
      // The name is not repeated: what is listed here by mistake may be a client's key.
      const setting = settingOf("zones", zone)!;
      const name = this.#faults.attempt(setting, () => parseZoneName(text));
      if (name === undefined || !this.#isZone(setting, zone)) continue;
      const before = lines.get(name);
      if (before !== undefined) this.#faults.of(setting, `this zone is already in line ${before}`);
      else lines.set(name, zone.line);
      const inside = (name: typeof ZONE_NAMES[number]) =>
        settingOf(`zones: ${name}`, (zone.value as TomlTable).get(name));
      zones.push({
        name,
        nameserver: {
          endpoint: this.#endpoint(inside("nameserver")) ?? above.endpoint,
          keyFile: await this.#readable(inside("nskeyfile")) ?? above.keyFile,
        },
        ttl: this.#faults.number(inside("ttl"), TTL_RANGE) ?? ttl,
      });
    }
    return zones;
  }

  /** Whether what stands under a zone's name is a zone; else a fault. */
  #isZone(setting: Setting, { value }: TomlNode): boolean {
    if (!(value instanceof Map)) {
      const example = '{ nameserver = "HOST", nskeyfile = "FILE", ttl = SECONDS }';
      this.#faults.of(setting, `expected ${example}, got ${typeName(value)}`);
      return false;
    }
    const table = value as TomlTable;
    // Without quotes each dot begins a table of its own.
    const parts = [...table].filter(([name, { value }]) =>
      value instanceof Map && !(ZONE_NAMES as readonly string[]).includes(name)
    );
    if (parts.length > 0) {
      this.#faults.add(
        parts[0]![1].line,
        'zones: put the zone\'s name in quotes: [zones."dyn.example"]',
      );
      return false;
    }
    this.#refuseUnknown(table, ZONE_NAMES, "", "zones: ");
    return true;
  }

  async #certificate(needed: boolean): Promise<Certificate | undefined> {
    const cert = this.#path(this.#setting("cert"));
    const key = this.#path(this.#setting("key"));
    for (const [name, path, other] of [["cert", cert, "key"], ["key", key, "cert"]] as const) {
      if (path === undefined && this.#setting(name) === undefined) {
        if (this.#setting(other) !== undefined) {
          this.#faults.of(this.#setting(other)!, `${name} is missing: set both or none`);
        } else if (needed && name === "cert") {
          this.#faults.of(this.#setting("https")!, "it needs cert and key: set both");
        }
      }
    }
    if (cert === undefined || key === undefined) return undefined;
    try {
      return await loadCertificate(cert, key, this.environment.readFile);
    } catch (error) {
      if (!(error instanceof CertificateError)) throw error;
      this.#faults.of(this.#setting(error.setting)!, error.message);
    }
  }

  #networks(name: "trusted_proxies" | "status_networks", example: string): Network[] {
    const setting = this.#setting(name);
    if (setting === undefined) return [];
    if (!Array.isArray(setting.value)) {
      this.#faults.of(setting, `expected a list like ${example}, got ${typeName(setting.value)}`);
      return [];
    }
    return setting.value.flatMap((value: unknown) => {
      const network = typeof value === "string" ? parseNetwork(value) : undefined;
      if (network !== undefined) return [network];
      const got = typeof value === "string" ? JSON.stringify(value) : typeName(value);
      this.#faults.of(setting, `expected addresses or CIDRs like ${example}, got ${got}`);
      return [];
    });
  }

  #proxyHeader(): ProxyHeader {
    const setting = this.#setting("proxy_header");
    const text = this.#faults.string(setting);
    const header = PROXY_HEADERS.find((name) => name.toLowerCase() === text?.toLowerCase());
    if (text !== undefined && header === undefined) {
      const expected = PROXY_HEADERS.map((name) => `"${name}"`).join(", ");
      this.#faults.of(setting!, `expected one of ${expected}, got ${JSON.stringify(text)}`);
    }
    return header ?? PROXY_HEADERS[0];
  }
}
