/** `sftdyn check`: the configuration and everything outside it that an update needs. */

import type { Certificate } from "./http/certificate.ts";
import type { Host } from "./clients.ts";
import { type Config, ConfigError } from "./config/config.ts";
import { endpointText } from "./endpoint.ts";
import { FileError, readText } from "./file.ts";
import { LookupError, type Nameserver } from "./dns/nameserver.ts";
import { parseTsigKey } from "./config/tsig_key.ts";

export interface CheckOptions {
  load: () => Promise<Config>;
  nameserver: (config: Config) => Nameserver;
  nsupdateVersion: () => Promise<string>;
  print: (line: string) => void;
  now?: () => Date;
}

const DAY = 24 * 60 * 60 * 1000;
/** Let's Encrypt renews 30 days ahead: with 14 left, a renewal has failed. */
const EXPIRY_DAYS = 14;
/** Hosts that are asked for at a time. */
const AT_ONCE = 20;

/** Prints one line a finding; whether there was no error. */
export async function check(options: CheckOptions): Promise<boolean> {
  const report = new Report(options.print);
  let config;
  try {
    config = await options.load();
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    for (const fault of error.faults) report.error(fault);
    return false;
  }
  await checkFile(config, report);
  if (config.certificate !== undefined) {
    checkCertificate(config.certificate, options.now?.() ?? new Date(), report);
  }
  if (config.nskeyfile !== undefined) await checkTsigKey(config.nskeyfile, report);
  try {
    report.ok(`nsupdate ${await options.nsupdateVersion()}`);
  } catch (error) {
    report.error((error as Error).message);
  }
  const nameserver = options.nameserver(config);
  await checkHosts(config, nameserver, report);
  await nameserver.close();
  return !report.hasErrors;
}

class Report {
  hasErrors = false;
  constructor(readonly print: (line: string) => void) {}

  ok(message: string): void {
    this.print(`ok: ${message}`);
  }

  warning(message: string): void {
    this.print(`warning: ${message}`);
  }

  error(message: string): void {
    this.hasErrors = true;
    this.print(`error: ${message}`);
  }
}

async function checkFile(config: Config, report: Report): Promise<void> {
  const { file, clients, http, https, shortKeys, plainKeys } = config;
  const listeners = [
    ...http.map((endpoint) => `http ${endpointText(endpoint)}`),
    ...https.map((endpoint) => `https ${endpointText(endpoint)}`),
  ];
  report.ok(`${file}: ${listeners.join(", ")}; ${count(clients.size, "client")}`);
  if (clients.size === 0) report.warning(`${file}: no clients: nobody can update anything`);
  for (const line of shortKeys) {
    report.warning(
      `${file}: line ${line}: the key has fewer than 16 characters and can be guessed; ` +
        "`sftdyn key` makes a good one",
    );
  }
  if (plainKeys && await othersCanRead(file)) {
    report.warning(`${file}: everybody on this machine can read the keys in it: chmod o-r ${file}`);
  }
}

function checkCertificate({ notBefore, notAfter, names }: Certificate, now: Date, report: Report) {
  const date = notAfter.toISOString().slice(0, 10);
  const days = Math.floor((notAfter.getTime() - now.getTime()) / DAY);
  if (now < notBefore) {
    report.error(`certificate: not valid before ${notBefore.toISOString().slice(0, 10)}`);
  } else if (now >= notAfter) report.error(`certificate: it expired on ${date}`);
  else if (days < EXPIRY_DAYS) {
    report.warning(`certificate: it expires on ${date}, in ${count(days, "day")}`);
  } else report.ok(`certificate: ${names.replaceAll("\n", ", ")}, valid until ${date}`);
}

async function checkTsigKey(file: string, report: Report): Promise<void> {
  try {
    const { name, algorithm, bits } = parseTsigKey(await readText(file));
    report.ok(`nskeyfile: key "${name}", ${algorithm}, ${bits} bits`);
  } catch (error) {
    if (!(error instanceof RangeError || error instanceof FileError)) throw error;
    report.error(`nskeyfile: "${file}": ${error.message}`);
  }
  if (await othersCanRead(file)) {
    report.warning(`nskeyfile: everybody on this machine can read it: chmod o-r ${file}`);
  }
}

/** Hosts with the same trouble are one line. */
async function checkHosts(config: Config, nameserver: Nameserver, report: Report): Promise<void> {
  const hosts = config.clients.hosts();
  const troubles = new Map<string, string[]>();
  for (let i = 0; i < hosts.length; i += AT_ONCE) {
    const some = hosts.slice(i, i + AT_ONCE);
    const lines = await Promise.allSettled(some.map((host) => describe(host, nameserver)));
    for (const [j, line] of lines.entries()) {
      if (line.status === "fulfilled") report.ok(line.value);
      else if (!(line.reason instanceof LookupError)) throw line.reason;
      else {
        const { message } = line.reason;
        troubles.set(message, [...troubles.get(message) ?? [], some[j]!.name]);
      }
    }
  }
  const server = config.nameserver === undefined
    ? "the local nameserver"
    : `nameserver ${endpointText(config.nameserver)}`;
  for (const [trouble, names] of troubles) {
    const more = names.length === 1 ? "" : ` and ${count(names.length - 1, "more host")}`;
    report.error(`${names[0]}${more}: ${server}: ${trouble}`);
  }
}

async function describe({ name }: Host, nameserver: Nameserver): Promise<string> {
  const zone = await nameserver.zone(name);
  const a = await nameserver.addresses(name, "A");
  const aaaa = await nameserver.addresses(name, "AAAA");
  const list = (addresses: string[]) => addresses.join(" ") || "none";
  return `${name}: zone ${zone}, A ${list(a)}, AAAA ${list(aaaa)}`;
}

async function othersCanRead(file: string): Promise<boolean> {
  return await Deno.stat(file).then(({ mode }) => (mode ?? 0) % 8 >= 4, () => false);
}

function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? "" : "s"}`;
}
