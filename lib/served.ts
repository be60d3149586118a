/** What the service's parts need of a configuration. */

import { type Config, ConfigError } from "./config/config.ts";
import { firstFault } from "./config/settings.ts";
import type { UpdatersSettings } from "./dns/updaters.ts";
import { errorMessage } from "./error_message.ts";
import { Hooks, HooksError } from "./hooks/hooks.ts";
import type { Wanted } from "./http/listener.ts";
import type { Log } from "./log.ts";

/**
 * The hooks of a configuration, if it has some.
 *
 * @throws {ConfigError}
 */
export async function loadHooks(
  { hooks: file, timeout }: Config,
  log: Log,
): Promise<Hooks | undefined> {
  if (file === undefined) return undefined;
  try {
    return await Hooks.load({ file, timeout, log });
  } catch (error) {
    if (!(error instanceof HooksError)) throw error;
    throw new ConfigError(error.faults);
  }
}

/** What the update engines need of a configuration. */
export function updatersSettings(config: Config): UpdatersSettings {
  const { nameserver, zones, timeout, minInterval, recheck } = config;
  return { nameserver, zones, timeout, minInterval, recheck };
}

/** Where to listen, and for whom. */
export function wanted(config: Config): Wanted {
  const { http, https, status, certificate, trustedProxies, maxConnections } = config;
  const statusEndpoints = status?.endpoints ?? [];
  return { http, https, status: statusEndpoints, certificate, trustedProxies, maxConnections };
}

export function warnOf({ file, clients, hooks }: Config, log: Log): void {
  if (clients.size === 0 && hooks === undefined) {
    log.warning(`${file}: no clients: nobody can update`);
  }
}

/** One line, whatever went wrong. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof ConfigError)) return errorMessage(error);
  return firstFault(error.faults, error.count);
}
