/** sftdyn while it serves: its parts wired together, exchanged at a reload, ended in good order. */

import { CertificateExpiry, dateText } from "./http/certificate_expiry.ts";
import { CertificateWatch } from "./http/certificate_watch.ts";
import { ClientWatch } from "./config/client_watch.ts";
import type { Config } from "./config/config.ts";
import { count } from "./count.ts";
import { delay } from "./delay.ts";
import type { Hooks } from "./hooks/hooks.ts";
import { createHandler, type Handler } from "./http/handler.ts";
import { listen, type Listeners } from "./http/listener.ts";
import type { Log } from "./log.ts";
import { loadHooks, reasonOf, updatersSettings, wanted, warnOf } from "./served.ts";
import { inSlices } from "./slices.ts";
import { Reloads } from "./status/reloads.ts";
import { createStatus } from "./status/status.ts";
import { Watch } from "./status/watch.ts";
import { Updaters } from "./dns/updaters.ts";
import { welcome, Withdrawal } from "./withdrawal.ts";

export interface ServiceOptions {
  /** Of sftdyn. */
  version: string;
  /** Reads the configuration and all files that it names; throws ConfigError. */
  load: () => Promise<Config>;
  log: Log;
  /** Called with each configuration when it takes effect, before anything is logged of it. */
  onConfig?: (config: Config) => void;
  /** Milliseconds between two checks of the certificate's files. */
  certificateInterval?: number;
  /** Likewise, of the files with clients. */
  clientsInterval?: number;
  /** Likewise, of who has not called in for too long. */
  withdrawalInterval?: number;
  /** Milliseconds, of a clock that nobody sets. */
  clock?: () => number;
}

export interface Service {
  /**
   * Reads the configuration again and applies it. A faulty one is an error line,
   * and nothing changes. Known addresses and waiting changes stay.
   */
  reload(): Promise<void>;
  /**
   * Accepts no more requests and answers those under way, for so many
   * milliseconds at most.
   */
  stop(grace: number): Promise<void>;
}

const CERTIFICATE_INTERVAL = 60_000;
const CLIENTS_INTERVAL = 1000;
const WITHDRAWAL_INTERVAL = 60_000;

/**
 * Loads the configuration and serves.
 *
 * @throws {ConfigError}
 * @throws {ListenError}
 */
export async function startService(
  {
    version,
    load,
    log,
    onConfig = () => {},
    certificateInterval = CERTIFICATE_INTERVAL,
    clientsInterval = CLIENTS_INTERVAL,
    withdrawalInterval = WITHDRAWAL_INTERVAL,
    clock = () => performance.now(),
  }: ServiceOptions,
): Promise<Service> {
  let config = await load();
  onConfig(config);
  let hooks = await loadHooks(config, log);
  warnOf(config, log);
  const watch = new Watch({ clock });
  watch.apply(config);
  const updaters = new Updaters({ ...updatersSettings(config), log, watch });
  const clientWatch = new ClientWatch({
    onFault: (message) => {
      log.error(`the previous clients are kept: ${message}`, { event: "clients_fault" });
    },
  });
  const certificateWatch = new CertificateWatch({ log });
  const reloads = new Reloads({ config: () => config, clientWatch, certificateWatch });
  let handler = handlerFor(config);
  const listeners: Listeners = await listen({
    ...wanted(config),
    handler: (request, connection) => handler(request, connection),
    statusHandler: createStatus({
      version,
      config: () => config,
      watch,
      updaters,
      connections: () => listeners.connections,
      reloads,
    }),
    log,
  }).catch((error) => {
    hooks?.close();
    throw error;
  });

  function handlerFor({ clients, trustedProxies, proxyHeader, dyndns2, ttlOf }: Config): Handler {
    return createHandler({
      clients,
      trustedProxies,
      proxyHeader,
      dyndns2,
      updater: updaters,
      log,
      observer: watch.observer,
      hooked: hooks && { hooks, ttlOf, isKnown: (change) => updaters.isKnown(change) },
    });
  }

  /** Changes come one after the other; one that fails is a line in the log. */
  let turn: Promise<void> = Promise.resolve();
  let isStopping = false;
  function inTurn(
    change: () => Promise<void>,
    failure: string,
    ended: (reason?: string) => void = () => {},
  ): Promise<void> {
    return turn = turn.then(() => isStopping ? undefined : change())
      .then(() => ended(), (error) => {
        ended(reasonOf(error));
        log.error(`${failure}: ${reasonOf(error)}`, { event: "reload_failed" });
      });
  }

  async function reload(): Promise<void> {
    const next = await load();
    // Also if the file is the same: what it imports may not be.
    const nextHooks = await loadHooks(next, log);
    try {
      if (isStopping) return;
      await listeners.update(wanted(next));
      await apply(next, config.file, nextHooks);
    } finally {
      if (hooks !== nextHooks) nextHooks?.close();
    }
    if (isStopping) return;
    certificateExpiry.reset();
    sayExpiry();
  }

  /** Serves with other settings, clients and hooks, which are in `what`. */
  async function apply(next: Config, what: string, nextHooks: Hooks | undefined): Promise<void> {
    // Also where nothing is withdrawn: the next reload may change that.
    if (watch.calls !== undefined) {
      const [before, after] = [config.clients.names(), next.clients.names()];
      await inSlices(welcome(watch.calls, { before, after, now: clock }));
    }
    await inSlices(updaters.reconfigure(updatersSettings(next), next.clients.names(), () => {
      if (hooks !== nextHooks) hooks?.retire();
      hooks = nextHooks;
      watch.apply(next);
      handler = handlerFor(next);
      config = next;
      onConfig(config);
    }));
    if (isStopping) return;
    log.info(`reloaded ${what}: ${count(config.clients.size, "client")}`, { event: "reloaded" });
    warnOf(config, log);
  }

  async function reloadClients(): Promise<void> {
    if (config.clientFiles === undefined) return;
    const clientFiles = await clientWatch.poll(config.clientFiles);
    if (clientFiles === undefined || isStopping) return;
    const { clients, paths } = clientFiles;
    await apply({ ...config, clientFiles, clients }, paths.join(", "), hooks);
  }

  const certificateExpiry = new CertificateExpiry({ log });
  function sayExpiry(): void {
    if (config.https.length > 0) certificateExpiry.poll(config.certificate!);
  }
  sayExpiry();

  async function renew(): Promise<void> {
    if (config.https.length === 0) return;
    const certificate = await certificateWatch.poll(config.certificate!);
    if (certificate === undefined || isStopping) return;
    await listeners.update({ ...wanted(config), certificate });
    config = { ...config, certificate };
    log.info(`https uses a new certificate, valid until ${dateText(certificate.notAfter)}`, {
      event: "certificate_renewed",
    });
  }

  const withdrawal = new Withdrawal({
    config: () => isStopping ? undefined : config,
    calls: () => watch.calls,
    updaters,
    now: clock,
  });
  const every = async (ms: number, poll: () => unknown) => {
    while (await delay(ms), !isStopping) await poll();
  };
  void every(certificateInterval, () => inTurn(renew, "certificate not renewed"));
  void every(certificateInterval, sayExpiry);
  void every(clientsInterval, () => inTurn(reloadClients, "clients not reloaded"));
  void every(withdrawalInterval, () => withdrawal.poll());
  return {
    reload: () =>
      inTurn(reload, "not reloaded, nothing has changed", (reason) => reloads.ended(reason)),
    async stop(grace) {
      isStopping = true;
      updaters.flush();
      await listeners.stop(grace);
      hooks?.close();
      await updaters.close();
      // What is being read is read to its end, unless that does not come.
      await Promise.race([turn, delay(grace)]);
    },
  };
}
