/** sftdyn while it serves: its parts wired together, exchanged at a reload, ended in good order. */

import { CertificateWatch } from "./http/certificate_watch.ts";
import { type Config, ConfigError } from "./config/config.ts";
import { type Endpoint, endpointText } from "./endpoint.ts";
import { createHandler } from "./http/handler.ts";
import { listen } from "./http/listener.ts";
import type { Log } from "./log.ts";
import { MemoryWatch } from "./http/memory_watch.ts";
import { Nameserver } from "./dns/nameserver.ts";
import { createNsupdate, type Nsupdate } from "./dns/nsupdate.ts";
import { createUpdater } from "./dns/updater.ts";
import { pass } from "./delay.ts";

export interface ServiceOptions {
  /** Reads the configuration and all files that it names; throws ConfigError. */
  load: () => Promise<Config>;
  log: Log;
  /** Milliseconds between two looks at the certificate's files. */
  certificateInterval?: number;
}

export interface Service {
  /**
   * Reads the configuration anew and goes on with it. One that is at fault is an
   * error line, and nothing changes. Known addresses and waiting changes stay.
   */
  reload(): Promise<void>;
  /**
   * Takes no more requests and answers those that there are, for so many
   * milliseconds at the most.
   */
  stop(grace: number): Promise<void>;
}

const CERTIFICATE_INTERVAL = 60_000;
const MEMORY_INTERVAL = 10_000;

/**
 * Loads the configuration and serves.
 *
 * @throws {ConfigError}
 * @throws {ListenError}
 */
export async function startService(
  { load, log, certificateInterval = CERTIFICATE_INTERVAL }: ServiceOptions,
): Promise<Service> {
  let config = await load();
  warnOf(config, log);
  let nameserver = new Nameserver({ endpoint: config.nameserver });
  let nsupdate = nsupdateFor(config, nameserver);
  const updater = createUpdater({ ...config, nsupdate, nameserver, log });
  let handler = createHandler({ ...config, updater, log });
  const listeners = await listen({
    ...config,
    handler: (request, connection) => handler(request, connection),
    log,
  });

  /** Changes come one after the other; one that fails is a line in the log. */
  let turn: Promise<void> = Promise.resolve();
  let isStopping = false;
  function inTurn(change: () => Promise<void>, failure: string): Promise<void> {
    return turn = turn.then(() => isStopping ? undefined : change())
      .catch((error) => log.error(`${failure}: ${reason(error)}`));
  }

  async function reload(): Promise<void> {
    const next = await load();
    if (isStopping) return;
    await listeners.update(next);
    if (!isSame(next.nameserver, config.nameserver)) {
      nameserver = new Nameserver({ endpoint: next.nameserver });
    }
    // A fresh one reads the key file anew; the former ends by itself, being without work.
    nsupdate = nsupdateFor(next, nameserver);
    updater.use({ ...next, nsupdate, nameserver }, next.clients.hosts());
    handler = createHandler({ ...next, updater, log });
    config = next;
    log.info(`reloaded ${config.file}: ${config.clients.size} clients`);
    warnOf(config, log);
  }

  const certificateWatch = new CertificateWatch({ log });
  async function renew(): Promise<void> {
    if (config.https.length === 0) return;
    const certificate = await certificateWatch.look(config.certificate!);
    if (certificate === undefined || isStopping) return;
    await listeners.update({ ...config, certificate });
    config = { ...config, certificate };
    log.info(`https goes on with a new certificate, valid until ${dateOf(certificate.notAfter)}`);
  }

  const memoryWatch = new MemoryWatch();
  const every = async (ms: number, look: () => unknown) => {
    while (await pass(ms), !isStopping) look();
  };
  void every(certificateInterval, () => inTurn(renew, "certificate not renewed"));
  void every(MEMORY_INTERVAL, () => memoryWatch.look());
  return {
    reload: () => inTurn(reload, "not reloaded, all stays as it was"),
    async stop(grace) {
      isStopping = true;
      updater.hurry();
      await listeners.stop(grace);
      await nsupdate.close();
      await nameserver.close();
    },
  };
}

function nsupdateFor(config: Config, nameserver: Nameserver): Nsupdate {
  return createNsupdate({
    ...config,
    keyFile: config.nskeyfile,
    reachedAt: () => nameserver.reachedAt(),
  });
}

function isSame(a: Endpoint | undefined, b: Endpoint | undefined): boolean {
  return (a && endpointText(a)) === (b && endpointText(b));
}

function warnOf({ file, clients }: Config, log: Log): void {
  if (clients.size === 0) log.warning(`${file}: no clients: nobody can update`);
}

/** One line, whatever went wrong. */
function reason(error: unknown): string {
  if (!(error instanceof ConfigError)) return error instanceof Error ? error.message : `${error}`;
  const [first, ...more] = error.faults;
  return more.length === 0 ? first! : `${first} (and ${more.length} more: sftdyn check lists all)`;
}

function dateOf(date: Date): string {
  return date.toISOString().slice(0, "YYYY-MM-DD".length);
}
