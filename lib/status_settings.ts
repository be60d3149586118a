/** Where sftdyn tells how it is, and to whom. */

import type { Network } from "./address.ts";
import type { Endpoint } from "./endpoint.ts";

export interface StatusSettings {
  readonly endpoints: readonly Endpoint[];
  /** Who may ask besides this machine. */
  readonly networks: readonly Network[];
  /** With more hosts than that, /metrics says nothing of each. */
  readonly metricsHosts: number;
}
