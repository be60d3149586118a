/** `sftdyn check`: whether updates work with this configuration, proved as far as it can be. */

import { type AddressType, recordType } from "./change.ts";
import { type Door, probeHosts } from "./check_hosts.ts";
import { checkListeners } from "./check_listeners.ts";
import { checkPrefixes } from "./check_prefixes.ts";
import type { ClientTable } from "./config/client_reader.ts";
import { type Config, ConfigError } from "./config/config.ts";
import { parseTsigKey } from "./config/tsig_key.ts";
import { count } from "./count.ts";
import { endpointText } from "./endpoint.ts";
import { errorMessage } from "./error_message.ts";
import { FileError, readText } from "./file.ts";
import { Report } from "./findings.ts";
import type { Hostname } from "./hostname.ts";
import type { Certificate } from "./http/certificate.ts";
import { Hooks, HooksError } from "./hooks/hooks.ts";
import { dateText, expiryOf } from "./http/certificate_expiry.ts";
import { oneLine } from "./log.ts";
import type { Nameserver } from "./nameserver.ts";

export interface CheckOptions {
  /** The configuration's name, as the command line has it. */
  file: string;
  load: () => Promise<Config>;
  /** A nameserver, reached with its key; it waits so many milliseconds. */
  connect: (nameserver: Nameserver, timeout: number) => Door & { close(): Promise<void> };
  nsupdateVersion: () => Promise<string>;
  print: (line: string) => void;
  /** Shows how far it is, on a terminal; "" takes it away. */
  showProgress?: ((text: string) => void) | undefined;
  isRoot?: () => boolean;
  now?: () => Date;
}

/** Milliseconds after which somebody wonders, and between two signs of progress. */
const PROGRESS_DELAY = 1000;
const PROGRESS_PAUSE = 200;
/** Bytes of a configuration that takes a second to read. */
const BIG = 5_000_000;

/** Prints a line for each finding, and one that counts them; whether there was no error. */
export async function check(options: CheckOptions): Promise<boolean> {
  const report = new Report(options.print);
  await checkAll(options, report);
  if (options.isRoot?.()) {
    options.print(
      "note: root may read what the service's user may not; as that user: " +
        `runuser -u ${await serviceUser()} -- sftdyn check ${options.file}`,
    );
  }
  options.print(report.summary);
  return report.errors === 0;
}

async function checkAll(options: CheckOptions, report: Report): Promise<void> {
  const { file, showProgress = () => {} } = options;
  const takesLong = await isBig(file);
  let config;
  try {
    if (takesLong) showProgress(`reading ${file} …`);
    config = await options.load();
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    config = error;
  } finally {
    if (takesLong) showProgress("");
  }
  if (config instanceof ConfigError) {
    for (const fault of config.faults) report.error(fault);
    report.errors = config.count;
    return;
  }
  await checkFile(config, report);
  checkPrefixes(config, report);
  if (config.certificate !== undefined) {
    checkCertificate(config.certificate, options.now?.() ?? new Date(), report);
  }
  await checkListeners(config, report);
  if (config.hooks !== undefined) await checkHooks(config.hooks, config.timeout, report);
  for (const keyFile of keyFiles(config)) await checkTsigKey(keyFile, report);
  try {
    report.ok(`nsupdate ${await options.nsupdateVersion()}`);
  } catch (error) {
    // Without it, every host would have the same trouble.
    return report.error(errorMessage(error));
  }
  const doors: ReturnType<CheckOptions["connect"]>[] = [];
  const door = (nameserver: Nameserver) => {
    const opened = options.connect(nameserver, config.timeout);
    doors.push(opened);
    return opened;
  };
  const all = config.clients.hosts();
  const hosts = all.map(({ name }) => name);
  const only = new Map<Hostname, AddressType>();
  for (const { name, family } of all) {
    if (family !== undefined) only.set(name, recordType({ family }));
  }
  const progress = new Progress(showProgress, hosts.length);
  const onProgress = (done: number) => progress.done = done;
  const { nameserver, zones, timeout } = config;
  let findings;
  try {
    findings = await probeHosts({ hosts, only, nameserver, zones, timeout, door, onProgress });
  } finally {
    progress.end();
    await Promise.all(doors.map((door) => door.close()));
  }
  for (const each of findings) each.tell(report);
}

async function checkFile(config: Config, report: Report): Promise<void> {
  const { file, clients, hooks, http, https, status, clientFiles } = config;
  const listeners = [
    ...http.map((endpoint) => `http ${endpointText(endpoint)}`),
    ...https.map((endpoint) => `https ${endpointText(endpoint)}`),
    ...(status?.endpoints ?? []).map((endpoint) => `status ${endpointText(endpoint)}`),
  ];
  report.ok(`${file}: ${listeners.join(", ")}; ${count(clients.size, "client")}`);
  if (clients.size === 0 && hooks === undefined) {
    report.warning(`${file}: no clients: nobody can update anything`);
  }
  await checkKeys(config, report);
  for (const table of clientFiles?.tables ?? []) {
    report.ok(`${table.file}: ${count(table.clients.size, "client")} of these`);
    await checkKeys(table, report);
  }
}

/** Lines with the same trouble that are named. */
const MAX_LINES = 100;

async function checkKeys(table: ClientTable, report: Report): Promise<void> {
  const { file, shortKeys, urlKeys, plainKeys } = table;
  const warnOfLines = (lines: readonly number[], problem: string) => {
    for (const line of lines.slice(0, MAX_LINES)) {
      report.warning(`${file}: line ${line}: ${problem}`);
    }
    const left = lines.length - MAX_LINES;
    if (left > 0) report.warning(`${file}: the same of ${count(left, "more line")}`);
  };
  warnOfLines(
    shortKeys,
    "the key has fewer than 16 characters and can be guessed; `sftdyn key` makes a good one",
  );
  warnOfLines(
    urlKeys,
    "the key looks like a whole URL; the key is only what follows the server's name and its slash",
  );
  if (plainKeys && await othersCanRead(file)) {
    report.warning(`${file}: everybody on this machine can read the keys in it: chmod o-r ${file}`);
  }
}

function checkCertificate(certificate: Certificate, now: Date, report: Report): void {
  const { notBefore, notAfter, names, chainGap, files: [file] } = certificate;
  const date = dateText(notAfter);
  const expiry = expiryOf(certificate, now);
  if (now < notBefore) {
    report.error(`certificate: not valid before ${dateText(notBefore)}`);
  } else if (expiry !== undefined) {
    const [level, message] = expiry;
    report[level](`certificate: ${message}`);
  } else report.ok(`certificate: ${names.replaceAll("\n", ", ")}, valid until ${date}`);
  if (chainGap === undefined) return;
  const { issuer, subject } = chainGap;
  report.warning(
    `certificate: "${file}" does not continue with the certificate of "${issuer}", which issued ` +
      `"${subject}": clients that do not have it refuse the connection; use the full chain ` +
      "(fullchain.pem). Fine if it is your own CA and the clients have its certificate",
  );
}

/** Loads them, as the server does. */
async function checkHooks(file: string, timeout: number, report: Report): Promise<void> {
  const log = {
    error: (message: string) => report.error(message),
    warning: (message: string) => report.warning(message),
    info: (message: string) => report.print(`note: ${message}`),
  };
  try {
    const hooks = await Hooks.load({ file, timeout, log });
    hooks.close();
    report.ok(`${file}: ${hooks.names.join(", ")}`);
  } catch (error) {
    if (!(error instanceof HooksError)) throw error;
    for (const fault of error.faults) report.error(oneLine(`hooks: ${fault}`));
  }
}

function keyFiles({ nameserver, zones }: Config): string[] {
  const all = [nameserver, ...zones.all.map((zone) => zone.nameserver)];
  return [...new Set(all.flatMap(({ keyFile }) => keyFile ?? []))];
}

async function checkTsigKey(file: string, report: Report): Promise<void> {
  try {
    const { name, algorithm, bits } = parseTsigKey(await readKeyFile(file));
    report.ok(`nskeyfile: "${file}": key "${name}", ${algorithm}, ${bits} bits`);
  } catch (error) {
    if (!(error instanceof RangeError || error instanceof FileError)) throw error;
    report.error(`nskeyfile: "${file}": ${error.message}`);
  }
  if (await othersCanRead(file)) {
    report.warning(`nskeyfile: everybody on this machine can read it: chmod o-r ${file}`);
  }
}

/** A key file's text with its byte order mark, which nsupdate does not take for nothing. */
async function readKeyFile(file: string): Promise<string> {
  let hasMark = false;
  const text = await readText(file, async (path) => {
    const bytes = await Deno.readFile(path);
    hasMark = bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf;
    return bytes;
  });
  return hasMark ? `\ufeff${text}` : text;
}

async function othersCanRead(file: string): Promise<boolean> {
  return await Deno.stat(file).then(({ mode }) => (mode ?? 0) % 8 >= 4, () => false);
}

/** BIND's user here, as sftdyn.service has it. */
async function serviceUser(): Promise<string> {
  const users = await Deno.readTextFile("/etc/passwd").catch(() => "");
  return /^(bind|named):/m.exec(users)?.[1] ?? "bind";
}

async function isBig(file: string): Promise<boolean> {
  return await Deno.stat(file).then(({ size }) => size > BIG, () => false);
}

/** How far it is: shown if it takes long. */
class Progress {
  done = 0;
  readonly #timer: ReturnType<typeof setInterval>;
  readonly #since = performance.now();
  #isShown = false;

  constructor(readonly show: (text: string) => void, readonly all: number) {
    this.#timer = setInterval(() => this.#tick(), PROGRESS_PAUSE);
  }

  end(): void {
    clearInterval(this.#timer);
    if (this.#isShown) this.show("");
    this.#isShown = false;
  }

  #tick(): void {
    if (performance.now() - this.#since < PROGRESS_DELAY) return;
    this.#isShown = true;
    this.show(`${this.done} of ${count(this.all, "host")} probed …`);
  }
}
