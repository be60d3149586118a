/** Asks a running sftdyn, at its status listener, who calls in. */

import { local, parseAddress } from "../address.ts";
import { type Endpoint, endpointText } from "../endpoint.ts";
import { errorMessage } from "../error_message.ts";
import { oneLine } from "../log.ts";
import type { StatusReport } from "./report.ts";

/** It cannot be asked; the message says why, and what to do. */
export class AskError extends Error {
  override name = "AskError";
}

/** Milliseconds: it may have to wait for its nameservers first. */
const TIMEOUT = 30_000;

/**
 * The report of the sftdyn that listens there. Not with fetch(): that would
 * ask a proxy of the environment.
 *
 * @throws {AskError}
 */
export async function askReport(
  endpoint: Endpoint,
  { timeout = TIMEOUT } = {},
): Promise<StatusReport> {
  const there = reachable(endpoint);
  const place = endpointText(there);
  let answer;
  try {
    answer = await request(there, "/hosts.json", timeout);
  } catch (error) {
    if (error instanceof Deno.errors.ConnectionRefused) {
      throw new AskError(
        `nobody listens on ${place}: is sftdyn running, and was it reloaded since status was set? ` +
          "(systemctl status sftdyn)",
      );
    }
    throw new AskError(`${place}: ${errorMessage(error)}`);
  }
  const [, status, body] = /^HTTP\/1\.[01] (\d{3})[^]*?\r\n\r\n([^]*)$/.exec(answer) ?? [];
  if (status !== undefined && status !== "200") {
    throw new AskError(`${place} answers ${status}: ${oneLine(body!.trim().slice(0, 200))}`);
  }
  const report = parsed(body);
  if (report === undefined) throw new AskError(`what answers on ${place} is not sftdyn's status`);
  return report;
}

/** Where this machine may ask whatever status_networks are, if there is such a one. */
export function endpointToAsk(endpoints: readonly Endpoint[]): Endpoint | undefined {
  const isLoopback = (endpoint: Endpoint) => {
    const address = parseAddress(reachable(endpoint).hostname!);
    return address !== undefined && local(address) === "loopback";
  };
  return endpoints.find(isLoopback) ?? endpoints[0];
}

/** Every interface is reached by the loopback one. */
function reachable({ hostname, port }: Endpoint): Endpoint {
  if (hostname === undefined || hostname === "0.0.0.0") return { hostname: "127.0.0.1", port };
  return { hostname: hostname === "::" ? "::1" : hostname, port };
}

async function request(endpoint: Endpoint, path: string, timeout: number): Promise<string> {
  const conn = await Deno.connect({ hostname: endpoint.hostname!, port: endpoint.port });
  let isLate = false;
  const timer = setTimeout(() => {
    isLate = true;
    conn.close();
  }, timeout);
  try {
    const head = `GET ${path} HTTP/1.1\r\nHost: ${endpointText(endpoint)}\r\nConnection: close\r\n`;
    await conn.write(new TextEncoder().encode(`${head}\r\n`));
    return await new Response(conn.readable).text();
  } catch (error) {
    throw isLate ? new Error(`no answer in ${timeout / 1000} seconds`) : error;
  } finally {
    clearTimeout(timer);
  }
}

function parsed(body: string | undefined): StatusReport | undefined {
  try {
    const report = JSON.parse(body!);
    return isReport(report) ? report : undefined;
  } catch {
    return undefined;
  }
}

const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;

/** Whatever else listens there: all of it is shown to somebody. */
function isReport({ time, since, faults, hosts, hosts_left_out: leftOut }: StatusReport): boolean {
  const isText = (value: unknown) => typeof value === "string";
  const isTime = (value: unknown) => isText(value) && TIME.test(value as string);
  const isOr = (is: (value: unknown) => boolean, ...values: unknown[]) =>
    values.every((value) => value === null || is(value));
  return isTime(time) && isTime(since) && faults.every(isText) && typeof leftOut === "number" &&
    hosts.every((host) =>
      isText(host.host) && isOr(isText, host.a, host.aaaa, host.from, host.answer, host.fault) &&
      isOr(isTime, host.since, host.last_call, host.last_change, host.last_fault)
    );
}
