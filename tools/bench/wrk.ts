/** Load on a server, by wrk. Every answer must be right. */

import { ROOT } from "../deno.ts";
import { output } from "../named.ts";
import type { Server } from "./server.ts";

const SECONDS = 3;

export interface Load {
  requests: number;
  perSecond: number;
  /** Milliseconds. */
  p50: number;
  p99: number;
}

export interface GetOptions {
  seconds?: number;
  scheme?: "http" | "https";
}

/** The same request again and again, 32 at a time, each on a new connection. */
export function get(
  server: Server,
  path: string,
  right: string,
  { seconds, scheme }: GetOptions = {},
): Promise<Load> {
  return wrk(server, 32, "get.lua", path, [right], seconds, scheme);
}

let run = 0;

/** Connections that each set one of so many hosts to an address that it has never had. */
export function update(
  server: Server,
  connections: number,
  hosts: number,
  seconds?: number,
): Promise<Load> {
  return wrk(server, connections, "update.lua", "", [hosts, run++], seconds);
}

/** The address that `unchanged` has its hosts come with. */
export const UNCHANGED = "192.0.2.1";

/** Connections that come as so many hosts, whose address is the one that they have. */
export function unchanged(server: Server, connections: number, hosts: number): Promise<Load> {
  return wrk(server, connections, "update.lua", "", [hosts, 0, "unchanged"]);
}

async function wrk(
  { port }: Server,
  connections: number,
  script: string,
  path: string,
  args: (string | number)[],
  seconds = SECONDS,
  scheme = "http",
): Promise<Load> {
  const url = `${scheme}://127.0.0.1:${port}/${path}`;
  const threads = Math.min(2, connections);
  const options = ["-t", `${threads}`, "-c", `${connections}`, "-d", `${seconds}s`];
  const said = await output(
    "wrk",
    ...options,
    "--timeout",
    "60s",
    "-s",
    `${ROOT}/tools/bench/${script}`,
    url,
    "--",
    ...args.map(String),
  );
  const numbers = /^result (\d+) (\d+) (\d+) (\d+) (\d+) (\d+)$/m.exec(said)?.slice(1).map(Number);
  if (numbers === undefined) throw new Error(`wrk said: ${said}`);
  const [requests, duration, wrong, errors, p50, p99] = numbers as [
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  if (wrong > 0 || errors > 0 || requests === 0) {
    throw new Error(`${url}: ${wrong} wrong answers, ${errors} errors of ${requests} requests`);
  }
  return { requests, perSecond: requests / duration * 1e6, p50: p50 / 1000, p99: p99 / 1000 };
}
