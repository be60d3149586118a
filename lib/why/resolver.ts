/** What this machine's resolver says: as far as it is needed to find nameservers. */

import { parseAddress } from "../address.ts";

export interface Resolver {
  /** IP addresses of a name; none if it has none, or there is no answer. */
  addresses(name: string): Promise<string[]>;
  /** Names of a zone's nameservers, likewise. */
  nameservers(zone: string): Promise<string[]>;
}

export interface SystemResolverOptions {
  /** Milliseconds for each question. */
  timeout: number;
  resolve?: typeof Deno.resolveDns;
}

/** The one that /etc/resolv.conf names. */
export function systemResolver(
  { timeout, resolve = Deno.resolveDns }: SystemResolverOptions,
): Resolver {
  const ask = async (name: string, type: "A" | "AAAA" | "NS"): Promise<string[]> => {
    const controller = new AbortController();
    const timer = setTimeout(() => controller.abort(), timeout);
    try {
      // With the final dot, no domain of resolv.conf is put behind it.
      const { signal } = controller;
      return await (resolve as Resolving)(`${name}.`, type, { signal });
    } catch {
      return [];
    } finally {
      clearTimeout(timer);
    }
  };
  return {
    addresses: async (name) => {
      const found = await Promise.all([ask(name, "A"), ask(name, "AAAA")]);
      return found.flat().flatMap((text) => parseAddress(text)?.text ?? []);
    },
    nameservers: async (zone) =>
      (await ask(zone, "NS")).map((name) => name.toLowerCase().replace(/\.$/, "")),
  };
}

type Resolving = (
  name: string,
  type: "A" | "AAAA" | "NS",
  options: { signal: AbortSignal },
) => Promise<string[]>;
