/** Everything from the public ports to the handler: started, changed while it serves, stopped. */

import { type Certificate, isSameCertificate, tryTls } from "./certificate.ts";
import { delay } from "../delay.ts";
import { type Endpoint, endpointText } from "../endpoint.ts";
import { type Connections, type DoorSettings, FrontDoor } from "./front_door.ts";
import { limitRate, type Log } from "../log.ts";
import { explain, HttpPort, HttpsPort, isTaken, ListenError, type Port } from "./port.ts";
import type { Handler } from "./handler.ts";

export { ListenError };

/** Where to listen, and for whom. */
export interface Wanted extends DoorSettings {
  http: readonly Endpoint[];
  https: readonly Endpoint[];
  /** For those who watch sftdyn. */
  status: readonly Endpoint[];
  /** Needed for https. */
  certificate: Certificate | undefined;
}

export interface ListenOptions extends Wanted {
  handler: Handler;
  statusHandler: Handler;
  log: Log;
}

export interface Listeners {
  /** At the public ports. */
  readonly connections: Connections;
  /**
   * Starts what is new and stops what is no longer wanted; the rest is not
   * touched. A new certificate is for new connections.
   *
   * @throws {ListenError} one cannot be started; then everything is as before
   */
  update(wanted: Wanted): Promise<void>;
  /**
   * Accepts no more connections and answers the requests that are under way.
   * After so many milliseconds it waits no longer.
   */
  stop(grace: number): Promise<void>;
}

/** One entry of `http`, `https` or `status`. */
interface Listener {
  readonly scheme: "http" | "https" | "status";
  readonly endpoint: Endpoint;
}

/** Those who watch have connections of their own, which nobody else can take, nor they anybody's. */
const STATUS_DOOR = { trustedProxies: [], maxConnections: 256, limit: "the limit of status" };

/**
 * Starts all listeners.
 *
 * @throws {ListenError} one cannot be started; then none is left running
 */
export async function listen(
  { handler, statusHandler, log, ...wanted }: ListenOptions,
): Promise<Listeners> {
  const complain = limitRate(log.error);
  const { trustedProxies, maxConnections } = wanted;
  const warn = limitRate(log.warning);
  const door = new FrontDoor({ handler, warn, complain, trustedProxies, maxConnections });
  const statusDoor = new FrontDoor({ handler: statusHandler, warn, complain, ...STATUS_DOOR });
  const ports = new Ports({ door, statusDoor, log, complain });
  try {
    await ports.update(wanted);
  } catch (error) {
    await ports.stop(0);
    throw error;
  }
  return ports;
}

interface PortsParts {
  door: FrontDoor;
  statusDoor: FrontDoor;
  log: Log;
  complain: (problem: string) => void;
}

class Ports implements Listeners {
  readonly #parts: PortsParts;
  /** By scheme and endpoint. */
  readonly #listeners = new Map<string, Listener & { ports: Port[] }>();
  #certificate: Certificate | undefined;

  constructor(parts: PortsParts) {
    this.#parts = parts;
  }

  get connections(): Connections {
    return this.#parts.door.connections;
  }

  async update({ http, https, status, certificate, ...settings }: Wanted): Promise<void> {
    const wanted = new Map<string, Listener>();
    for (
      const [scheme, endpoints] of [["http", http], ["https", https], ["status", status]] as const
    ) {
      for (const endpoint of endpoints) {
        wanted.set(`${scheme} ${endpointText(endpoint)}`, { scheme, endpoint });
      }
    }
    const gone = [...this.#listeners].filter(([name]) => !wanted.has(name));
    const fresh = [...wanted].filter(([name]) => !this.#listeners.has(name));
    const inUse = (listener: Listener) =>
      gone.some(([, { endpoint }]) => endpoint.port === listener.endpoint.port);
    const previous = this.#certificate;
    const isNew = certificate !== undefined &&
      (previous === undefined || !isSameCertificate(previous, certificate));
    if (isNew && https.length > 0) tryCertificate(certificate);
    try {
      this.#certificate = certificate;
      for (const [name, listener] of fresh) if (!inUse(listener)) this.#start(name, listener);
      for (const [name] of gone) await this.#stop(name);
      for (const [name, listener] of fresh) if (inUse(listener)) this.#start(name, listener);
    } catch (error) {
      for (const [name] of fresh) await this.#stop(name);
      this.#certificate = previous;
      for (const [name, listener] of gone) {
        if (!this.#listeners.has(name)) this.#restore(name, listener);
      }
      throw error;
    }
    // From here on nothing can fail.
    this.#parts.door.settings = settings;
    if (isNew && previous !== undefined) await this.#setCertificate(certificate);
  }

  async stop(grace: number): Promise<void> {
    const doors = [this.#parts.door, this.#parts.statusDoor];
    const stopping = [...this.#listeners.keys()].map((name) => this.#stop(name));
    const ended = Promise.all([...stopping, ...doors.map((door) => door.stop())]);
    await Promise.race([ended, delay(grace)]);
    for (const door of doors) door.hangUp();
  }

  async #setCertificate(certificate: Certificate): Promise<void> {
    for (const { ports } of this.#listeners.values()) {
      for (const port of ports) {
        if (port instanceof HttpsPort) await port.setCertificate(certificate);
      }
    }
  }

  #restore(name: string, listener: Listener): void {
    try {
      this.#start(name, listener);
    } catch (error) {
      this.#parts.log.error(`cannot restore a previous listener: ${explain(error)}`);
    }
  }

  async #stop(name: string): Promise<void> {
    const { ports = [] } = this.#listeners.get(name) ?? {};
    this.#listeners.delete(name);
    await Promise.all(ports.map((port) => port.stop()));
  }

  #start(name: string, listener: Listener): void {
    const { scheme, endpoint: { hostname, port } } = listener;
    const { door, statusDoor, ...others } = this.#parts;
    const parts = { ...others, door: scheme === "status" ? statusDoor : door };
    const open = (hostname: string): Port => {
      const name = `${scheme} ${endpointText({ hostname, port })}`;
      const address = { hostname, port };
      return scheme === "https"
        ? new HttpsPort(name, address, parts, this.#certificate!)
        : new HttpPort(name, address, parts);
    };
    const ports = hostname === undefined ? openAll(open) : [open(hostname)];
    this.#listeners.set(name, { ...listener, ports });
  }
}

/** Listens on every address of both families. */
function openAll(open: (hostname: string) => Port): Port[] {
  let all;
  try {
    all = open("::");
  } catch (error) {
    // A host without IPv6 has no "::"; if the port is the problem, 0.0.0.0 fails too.
    if (!(error instanceof ListenError) || isTaken(error)) throw error;
    return [open("0.0.0.0")];
  }
  try {
    // Where net.ipv6.bindv6only is set, "::" does not accept IPv4.
    return [all, open("0.0.0.0")];
  } catch {
    return [all];
  }
}

/** @throws {ListenError} TLS does not accept it */
function tryCertificate({ cert, key }: Certificate): void {
  try {
    tryTls(cert, key);
  } catch (error) {
    throw ListenError.of("https", error);
  }
}
