/** sftdyn.toml and the command line's overrides to a Config in which everything is checked. */

import { type Network, parseNetwork } from "../address.ts";
import { type Certificate, CertificateError, loadCertificate } from "../http/certificate.ts";
import { Clients, digest, type Host } from "../clients.ts";
import { type Endpoint, endpointText, parseListen, parseNameserver } from "../endpoint.ts";
import { FileError, type ReadFile, readText, relativeTo } from "../file.ts";
import { type Hostname, parseHostname } from "../hostname.ts";
import { nearest } from "../closest_word.ts";
import { parseToml, type TomlNode, type TomlTable } from "./toml.ts";

export const PROXY_HEADERS = ["X-Forwarded-For", "X-Real-IP"] as const;
export type ProxyHeader = typeof PROXY_HEADERS[number];

export interface Config {
  readonly file: string;
  readonly http: readonly Endpoint[];
  readonly https: readonly Endpoint[];
  /** There if https is. */
  readonly certificate: Certificate | undefined;
  /** The key file for `nsupdate -k`. */
  readonly nskeyfile: string | undefined;
  /** undefined is the local one, `nsupdate -l`. */
  readonly nameserver: Endpoint | undefined;
  /** Seconds to wait for the nameserver. */
  readonly timeout: number;
  /** Seconds between two changes of one record. */
  readonly minInterval: number;
  /** Seconds for which what the nameserver said is believed. */
  readonly recheck: number;
  readonly trustedProxies: readonly Network[];
  readonly proxyHeader: ProxyHeader;
  readonly clients: Clients;
  /** Lines whose keys have fewer than 16 characters. */
  readonly shortKeys: readonly number[];
  /** Whether a key itself, not only its digest, stands in the file. */
  readonly plainKeys: boolean;
}

/** Settings from the command line, each as it was typed; they override the file's. */
export interface Overrides {
  readonly http?: readonly string[];
  readonly https?: readonly string[];
  readonly cert?: string;
  readonly key?: string;
  readonly nskeyfile?: string;
}

/** Everything that is wrong with a configuration, a line each. */
export class ConfigError extends Error {
  override name = "ConfigError";
  constructor(readonly faults: readonly string[]) {
    super(faults.join("\n"));
  }
}

const NAMES = [
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
  "trusted_proxies",
  "proxy_header",
  "clients",
] as const;
type Name = typeof NAMES[number];

const DEFAULT_TTL = 30;
const DEFAULT_TIMEOUT = 10;
const DEFAULT_MIN_INTERVAL = 5;
const DEFAULT_RECHECK = 300;
/** RFC 2181, section 8. */
const MAX_TTL = 2 ** 31 - 1;
/** nsupdate gives up by itself then (nsupdate(1)). */
const MAX_TIMEOUT = 300;
/** A request waits as long, and clients do not wait for ever. */
const MAX_MIN_INTERVAL = 3600;
const MAX_RECHECK = 7 * 24 * 3600;
const SHORT_KEY = 16;

/**
 * Reads the configuration and all files that it names.
 *
 * @throws {ConfigError} with all faults at once
 */
export async function loadConfig(
  file: string,
  overrides: Overrides = {},
  readFile?: ReadFile,
): Promise<Config> {
  let text;
  try {
    text = await readText(file, readFile);
  } catch (error) {
    if (!(error instanceof FileError)) throw error;
    throw new ConfigError([`${file}: ${error.message}`]);
  }
  return await new Loader(file, parseToml(text), overrides, readFile).load();
}

/** Where a setting stands: its place, for the faults found in it, and its value. */
interface Setting {
  readonly line: number | undefined;
  readonly place: string;
  readonly value: unknown;
}

class Loader {
  readonly #faults: { line: number; text: string }[] = [];
  readonly #clients = new Clients();
  readonly #clientLines = new Map<string, number>();
  readonly #shortKeys: number[] = [];
  #plainKeys = false;

  constructor(
    readonly file: string,
    readonly toml: ReturnType<typeof parseToml>,
    readonly overrides: Overrides,
    readonly readFile: ReadFile | undefined,
  ) {}

  async load(): Promise<Config> {
    for (const { line, problem } of this.toml.faults) this.#fault(line, problem);
    this.#refuseUnknown();
    const http = this.#listeners("http");
    const https = this.#listeners("https");
    this.#checkListeners(http, https);
    const ttl = this.#number("ttl", DEFAULT_TTL, 0, MAX_TTL, true);
    this.#readClients(ttl);
    const config: Config = {
      file: this.file,
      http,
      https,
      certificate: await this.#certificate(https.length > 0),
      nskeyfile: await this.#readableFile("nskeyfile"),
      nameserver: this.#nameserver(),
      timeout: this.#number("timeout", DEFAULT_TIMEOUT, 1, MAX_TIMEOUT, false),
      minInterval: this.#number("min_interval", DEFAULT_MIN_INTERVAL, 0, MAX_MIN_INTERVAL, false),
      recheck: this.#number("recheck", DEFAULT_RECHECK, 0, MAX_RECHECK, false),
      trustedProxies: this.#trustedProxies(),
      proxyHeader: this.#proxyHeader(),
      clients: this.#clients,
      shortKeys: this.#shortKeys,
      plainKeys: this.#plainKeys,
    };
    if (this.#faults.length > 0) {
      throw new ConfigError(
        this.#faults.sort((a, b) => a.line - b.line).map(({ text }) => text),
      );
    }
    return config;
  }

  #fault(line: number | undefined, problem: string): void {
    const place = line === undefined ? this.file : `${this.file}: line ${line}`;
    this.#faults.push({ line: line ?? Infinity, text: `${place}: ${problem}` });
  }

  /** A fault in a setting, wherever it stands. */
  #settingFault({ line, place }: Setting, problem: string): void {
    if (line === undefined) this.#faults.push({ line: 0, text: `${place}: ${problem}` });
    else this.#fault(line, `${place}: ${problem}`);
  }

  #setting(name: Name): Setting | undefined {
    const override = this.overrides[name as keyof Overrides];
    if (override !== undefined) return { line: undefined, place: `--${name}`, value: override };
    const node = this.toml.table.get(name);
    return node && { line: node.line, place: name, value: node.value };
  }

  #refuseUnknown(): void {
    for (const [name, { line }] of this.toml.table) {
      if ((NAMES as readonly string[]).includes(name)) continue;
      const meant = nearest(name.toLowerCase(), NAMES);
      // The name itself may be a key that stands above [clients].
      this.#fault(
        line,
        meant === undefined
          ? `unknown name: expected one of ${NAMES.join(", ")}; keys belong under [clients]`
          : `unknown name, did you mean "${meant}"?`,
      );
    }
  }

  #string(name: Name): string | undefined {
    const setting = this.#setting(name);
    if (setting === undefined) return undefined;
    if (typeof setting.value !== "string") {
      this.#settingFault(setting, `expected a text in quotes, got ${typeName(setting.value)}`);
    } else if (setting.value === "") this.#settingFault(setting, "it is empty");
    else return setting.value;
  }

  #number(name: Name, ifUnset: number, least: number, most: number, whole: boolean): number {
    const setting = this.#setting(name);
    if (setting === undefined) return ifUnset;
    const problem = numberProblem(setting.value, least, most, whole);
    if (problem === undefined) return setting.value as number;
    this.#settingFault(setting, problem);
    return ifUnset;
  }

  #listeners(name: "http" | "https"): Endpoint[] {
    const setting = this.#setting(name);
    if (setting === undefined) return [];
    const values: unknown[] = Array.isArray(setting.value) ? setting.value : [setting.value];
    if (values.length === 0) this.#settingFault(setting, 'the list is empty: expected "PORT"');
    const endpoints: Endpoint[] = [];
    for (const value of values) {
      if (typeof value !== "string") {
        const hint = typeof value === "number" ? `, write it in quotes: "${value}"` : "";
        this.#settingFault(setting, `expected a text like "8080", got ${typeName(value)}${hint}`);
        continue;
      }
      this.#attempt(setting, () => endpoints.push(parseListen(value)));
    }
    return endpoints;
  }

  #checkListeners(http: Endpoint[], https: Endpoint[]): void {
    // What is misspelt or no TOML may have been one of them.
    const isUnset = this.#setting("http") === undefined && this.#setting("https") === undefined;
    if (isUnset && this.#faults.length === 0) {
      this.#fault(undefined, 'nothing to listen on: set http = "8080", or https, or both');
    }
    const seen = new Set<string>();
    for (const [name, endpoints] of [["http", http], ["https", https]] as const) {
      for (const endpoint of endpoints) {
        const text = endpointText(endpoint);
        if (seen.has(text)) this.#settingFault(this.#setting(name)!, `"${text}" stands here twice`);
        seen.add(text);
      }
    }
  }

  /** The path as the process sees it: the file's are relative to the file, the command line's are not. */
  #path(name: "cert" | "key" | "nskeyfile"): string | undefined {
    const path = this.#string(name);
    if (path === undefined || this.overrides[name] !== undefined) return path;
    return relativeTo(this.file, path);
  }

  async #readableFile(name: "nskeyfile"): Promise<string | undefined> {
    const path = this.#path(name);
    if (path === undefined) return undefined;
    try {
      await readText(path, this.readFile);
    } catch (error) {
      if (!(error instanceof FileError)) throw error;
      this.#settingFault(this.#setting(name)!, `cannot read "${path}": ${error.message}`);
    }
    return path;
  }

  async #certificate(needed: boolean): Promise<Certificate | undefined> {
    const cert = this.#path("cert");
    const key = this.#path("key");
    for (const [name, path, other] of [["cert", cert, "key"], ["key", key, "cert"]] as const) {
      if (path === undefined && this.#setting(name) === undefined) {
        if (this.#setting(other) !== undefined) {
          this.#settingFault(this.#setting(other)!, `${name} is missing: set both or none`);
        } else if (needed && name === "cert") {
          this.#settingFault(this.#setting("https")!, "it needs cert and key: set both");
        }
      }
    }
    if (cert === undefined || key === undefined) return undefined;
    try {
      return await loadCertificate(cert, key, this.readFile);
    } catch (error) {
      if (!(error instanceof CertificateError)) throw error;
      this.#settingFault(this.#setting(error.setting)!, error.message);
    }
  }

  #nameserver(): Endpoint | undefined {
    const text = this.#string("nameserver");
    if (text === undefined) return undefined;
    return this.#attempt(this.#setting("nameserver")!, () => parseNameserver(text));
  }

  #trustedProxies(): Network[] {
    const setting = this.#setting("trusted_proxies");
    if (setting === undefined) return [];
    const example = '["127.0.0.1", "10.0.0.0/8"]';
    if (!Array.isArray(setting.value)) {
      const got = typeName(setting.value);
      this.#settingFault(setting, `expected a list like ${example}, got ${got}`);
      return [];
    }
    return setting.value.flatMap((value: unknown) => {
      const network = typeof value === "string" ? parseNetwork(value) : undefined;
      if (network !== undefined) return [network];
      const got = typeof value === "string" ? JSON.stringify(value) : typeName(value);
      this.#settingFault(setting, `expected addresses or CIDRs like ${example}, got ${got}`);
      return [];
    });
  }

  #proxyHeader(): ProxyHeader {
    const text = this.#string("proxy_header");
    const header = PROXY_HEADERS.find((name) => name.toLowerCase() === text?.toLowerCase());
    if (text !== undefined && header === undefined) {
      const expected = PROXY_HEADERS.map((name) => `"${name}"`).join(" or ");
      const got = JSON.stringify(text);
      this.#settingFault(this.#setting("proxy_header")!, `expected ${expected}, got ${got}`);
    }
    return header ?? PROXY_HEADERS[0];
  }

  #readClients(ttl: number): void {
    const node = this.toml.table.get("clients");
    if (node === undefined) return;
    if (!(node.value instanceof Map)) {
      return this.#fault(node.line, 'clients: expected a table: [clients], then "KEY" = "HOST"');
    }
    for (const [key, client] of node.value as TomlTable) this.#readClient(key, client, ttl);
  }

  // No fault of a client repeats any of its text: key and host may be swapped.
  #readClient(key: string, { line, value }: TomlNode, ttl: number): void {
    const fault = (problem: string) => this.#fault(line, `clients: ${problem}`);
    const keyDigest = this.#readKey(key, line);
    let hosts = value;
    if (value instanceof Map) {
      const known = [...value.keys()].every((name) => name === "host" || name === "ttl");
      if (!known) fault('expected { host = "HOST", ttl = SECONDS }; a key with a dot needs quotes');
      ttl = this.#clientTtl(value.get("ttl"), ttl);
      const node = value.get("host");
      if (node === undefined) {
        return known ? fault('host is missing: expected { host = "HOST" }') : undefined;
      }
      hosts = node.value;
    }
    const names: unknown[] = Array.isArray(hosts) ? hosts : [hosts];
    if (names.length === 0) fault('the list of hosts is empty: expected ["HOST", "HOST"]');
    const parsed = new Map<Hostname, Host>();
    for (const text of names) {
      if (typeof text !== "string") {
        fault(`expected "HOST", ["HOST", "HOST"] or { host = "HOST" }, got ${typeName(text)}`);
        continue;
      }
      try {
        const name = parseHostname(text);
        if (parsed.has(name)) fault("one host stands here twice");
        parsed.set(name, { name, ttl });
      } catch (error) {
        fault((error as RangeError).message);
      }
    }
    if (keyDigest === undefined) return;
    if (!this.#clients.add(keyDigest, [...parsed.values()])) {
      fault(`this key stands in line ${this.#clientLines.get(keyDigest)} already`);
    } else this.#clientLines.set(keyDigest, line);
  }

  #clientTtl(node: TomlNode | undefined, ifUnset: number): number {
    if (node === undefined) return ifUnset;
    const problem = numberProblem(node.value, 0, MAX_TTL, true);
    if (problem === undefined) return node.value as number;
    this.#fault(node.line, `clients: ttl: ${problem}`);
    return ifUnset;
  }

  /** The digest of a client's key. */
  #readKey(key: string, line: number): string | undefined {
    const fault = (problem: string) => this.#fault(line, `clients: ${problem}`);
    if (/^sha256:/i.test(key)) {
      const hex = key.slice("sha256:".length).toLowerCase();
      if (/^[0-9a-f]{64}$/.test(hex)) return hex;
      return void fault('expected 64 hex digits after "sha256:", as `sftdyn key` prints them');
    }
    if (key === "" || key === "?") return void fault("the key is empty");
    if (key.startsWith("/")) return void fault("write the key without the slash at its beginning");
    this.#plainKeys = true;
    if ([...key].length < SHORT_KEY) this.#shortKeys.push(line);
    return digest(key);
  }

  #attempt<T>(setting: Setting, run: () => T): T | undefined {
    try {
      return run();
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      this.#settingFault(setting, error.message);
    }
  }
}

function numberProblem(
  value: unknown,
  least: number,
  most: number,
  whole: boolean,
): string | undefined {
  const expected = `expected ${whole ? "a whole number" : "a number"} from ${least} to ${most}`;
  if (typeof value !== "number") return `${expected}, got ${typeName(value)}`;
  const fits = value >= least && value <= most && (!whole || Number.isInteger(value));
  return fits ? undefined : `${expected}, got ${value}`;
}

function typeName(value: unknown): string {
  if (Array.isArray(value)) return "a list";
  if (value instanceof Map) return "a table";
  if (value instanceof Date) return "a date";
  if (typeof value === "string") return "a text";
  if (typeof value === "boolean") return `${value}`;
  return typeof value === "number" ? "a number" : "a table";
}
