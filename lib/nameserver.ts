/** Where updates go, and with which key. */

import { type Endpoint, endpointText } from "./endpoint.ts";

export interface Nameserver {
  /** undefined is the one on this machine (`nsupdate -l`). */
  readonly endpoint: Endpoint | undefined;
  /** The TSIG key file for `nsupdate -k`; undefined is BIND's session key, where the nameserver is on this machine. */
  readonly keyFile: string | undefined;
}

/** One that two nameservers share only if they are the same, reached with the same key. */
export function nameserverId({ endpoint, keyFile }: Nameserver): string {
  return JSON.stringify([endpoint && endpointText(endpoint), keyFile]);
}

/** As it is named in messages. */
export function nameserverText({ endpoint }: Nameserver): string {
  return endpoint === undefined ? "the local nameserver" : `nameserver ${endpointText(endpoint)}`;
}
