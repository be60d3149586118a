/** Whether sftdyn can listen where it is to: each port is opened, and given up again. */

import { parseAddress } from "./address.ts";
import type { Config } from "./config/config.ts";
import { type Endpoint, endpointText, overlap } from "./endpoint.ts";
import { errorMessage } from "./error_message.ts";
import type { Report } from "./findings.ts";

type ListenerConfig = Pick<Config, "http" | "https" | "status" | "certificate">;

interface Listener {
  readonly scheme: "http" | "https" | "status";
  readonly endpoint: Endpoint;
  /** As messages name it. */
  readonly name: string;
}

/** Who holds a port. "unclear": it does not say; it may well be sftdyn. */
type Holder = "sftdyn" | "another" | "unclear";

/** Milliseconds for whoever holds a port to answer. */
const PATIENCE = 2000;
/** Of an answer, which has 200. */
const MAX_ANSWER = 4096;
/** What proxies say for others (RFC 7239): a trusted one's request without it gets no address. */
const REQUEST = "GET / HTTP/1.1\r\nHost: localhost\r\nX-Forwarded-For: 192.0.2.1\r\n" +
  "X-Real-IP: 192.0.2.1\r\nForwarded: for=192.0.2.1\r\nConnection: close\r\n\r\n";

export async function checkListeners(config: ListenerConfig, report: Report): Promise<void> {
  const { http, https, status } = config;
  const endpoints = { http, https, status: status?.endpoints ?? [] };
  const all: Listener[] = (["http", "https", "status"] as const).flatMap((scheme) =>
    endpoints[scheme].map((endpoint) => ({
      scheme,
      endpoint,
      name: `${scheme} ${endpointText(endpoint)}`,
    }))
  );
  for (const [i, error] of openAll(all).entries()) {
    if (error === undefined) continue;
    const listener = all[i]!;
    const other = all.slice(0, i).find(({ endpoint }) => overlap(endpoint, listener.endpoint));
    if (other !== undefined && error instanceof Deno.errors.AddrInUse) {
      report.error(
        `${listener.name}: ${other.name} has the same port of the same address already: remove ` +
          "one of them",
      );
    } else await explain(listener, error, config.certificate, report);
  }
}

/**
 * Opens all as the service does, and closes them at once, so that nobody is
 * accepted; each one's error, if there is one.
 */
function openAll(listeners: Listener[]): unknown[] {
  const opened: Deno.Listener[] = [];
  try {
    return listeners.map(({ endpoint: { hostname, port } }) => {
      try {
        opened.push(open(hostname, port));
        return undefined;
      } catch (error) {
        return error;
      }
    });
  } finally {
    for (const listener of opened) listener.close();
  }
}

function open(hostname: string | undefined, port: number): Deno.Listener {
  if (hostname !== undefined) return Deno.listen({ hostname, port });
  const { AddrInUse, PermissionDenied } = Deno.errors;
  try {
    return Deno.listen({ hostname: "::", port });
  } catch (error) {
    if (error instanceof AddrInUse || error instanceof PermissionDenied) throw error;
    // This machine has no IPv6.
    return Deno.listen({ hostname: "0.0.0.0", port });
  }
}

/** Why it cannot listen, and whether that matters. */
async function explain(
  { scheme, endpoint, name }: Listener,
  error: unknown,
  certificate: Config["certificate"],
  report: Report,
): Promise<void> {
  const { AddrInUse, AddrNotAvailable, PermissionDenied } = Deno.errors;
  if (error instanceof AddrInUse) {
    const holder = await holderOf(endpoint, scheme === "status" ? undefined : certificate);
    if (holder === "sftdyn") report.ok(`${name}: in use by a running sftdyn`);
    else if (holder === "unclear" && scheme === "https") {
      report.warning(
        `${name}: in use by another program, or by a running sftdyn with another certificate`,
      );
    } else report.error(`${name}: in use by another program`);
  } else if (error instanceof PermissionDenied) {
    report.warning(
      `${name}: permission denied: ports below 1024 need CAP_NET_BIND_SERVICE, which ` +
        "sftdyn.service gives",
    );
  } else if (error instanceof AddrNotAvailable) {
    report.error(`${name}: this machine has no such address`);
  } else report.error(`${name}: ${errorMessage(error)}`);
}

/**
 * Who holds a port: a sftdyn answers a request without a key with the client's address,
 * and at its status listener says what it is.
 */
async function holderOf(
  { hostname, port }: Endpoint,
  certificate: Config["certificate"],
): Promise<Holder> {
  const hostnames = { "::": ["127.0.0.1", "::1"], "0.0.0.0": ["127.0.0.1"] }[hostname ?? "::"] ??
    [hostname!];
  const asked = hostnames.flatMap((hostname) => [
    ask({ hostname, port }, (conn) => conn),
    ...certificate === undefined ? [] : [ask({ hostname, port }, secureWith(certificate))],
  ]);
  const holders = await Promise.all(asked);
  return (["sftdyn", "another"] as const).find((holder) => holders.includes(holder)) ?? "unclear";
}

/**
 * Over TLS the certificate has to be the one that the configuration names, or
 * another by the same issuer: Deno speaks to no other.
 */
function secureWith({ cert, names }: Config["certificate"] & object) {
  const name = /(?:DNS|IP Address):([^,\s]+)/.exec(names)?.[1]?.replace(/^\*/, "x");
  return (conn: Deno.TcpConn) =>
    Deno.startTls(conn, { hostname: name ?? "localhost", caCerts: [cert] });
}

async function ask(
  address: Deno.ConnectOptions,
  secure: (conn: Deno.TcpConn) => Deno.Conn | Promise<Deno.Conn>,
): Promise<Holder> {
  let conn: Deno.Conn | undefined;
  let timer;
  try {
    const tcp = await Deno.connect(address);
    conn = tcp;
    const late = Promise.withResolvers<never>();
    timer = setTimeout(() => late.reject(new Error("no answer")), PATIENCE);
    const answering = (async () => {
      conn = await secure(tcp);
      return await answerOf(conn);
    })();
    answering.catch(() => {});
    const answer = await Promise.race([answering, late.promise]);
    if (isSftdyn(answer)) return "sftdyn";
    return answer.startsWith("HTTP/") ? "another" : "unclear";
  } catch {
    return "unclear";
  } finally {
    clearTimeout(timer);
    close(conn);
  }
}

async function answerOf(conn: Deno.Conn): Promise<string> {
  await conn.write(new TextEncoder().encode(REQUEST));
  const decoder = new TextDecoder();
  const chunk = new Uint8Array(MAX_ANSWER);
  let answer = "";
  for (let read; answer.length < MAX_ANSWER && (read = await conn.read(chunk)) !== null;) {
    answer += decoder.decode(chunk.subarray(0, read), { stream: true });
    if (isSftdyn(answer)) break;
  }
  return answer;
}

function isSftdyn(answer: string): boolean {
  const [head = "", body = ""] = answer.split("\r\n\r\n");
  if (/^server: sftdyn\r?$/m.test(head)) return true;
  return /^HTTP\/1\.1 200 /.test(head) && /^cache-control: no-store\r?$/im.test(head) &&
    parseAddress(body.trim()) !== undefined;
}

function close(conn: Deno.Conn | undefined): void {
  try {
    conn?.close();
  } catch {
    // It has ended, or been taken over for TLS.
  }
}
