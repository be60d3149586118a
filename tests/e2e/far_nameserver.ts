/** A nameserver on this machine as if it were far away: what goes to it and comes from it takes its time. */

import dgram from "node:dgram";
import { freePort } from "../../tools/named.ts";

export interface FarNameserver {
  port: number;
  stop(): Promise<void>;
}

const HERE = "127.0.0.1";

/** @param distance milliseconds that anything is on its way, in each direction */
export async function farNameserver(nearPort: number, distance: number): Promise<FarNameserver> {
  const timers = new Set<ReturnType<typeof setTimeout>>();
  let isStopped = false;
  const later = (run: () => void) => {
    // The nameserver may have answered just now, with nobody left to hear it.
    if (isStopped) return;
    const timer = setTimeout(() => {
      timers.delete(timer);
      run();
    }, distance);
    timers.add(timer);
  };
  const door = dgram.createSocket("udp4");
  const port = freePort();
  await new Promise<void>((resolve) => door.bind(port, HERE, resolve));
  const sockets = relayMessages(door, nearPort, later);
  const stopStreams = relayStreams(Deno.listen({ hostname: HERE, port }), nearPort, later);
  return {
    port,
    async stop() {
      isStopped = true;
      for (const timer of timers) clearTimeout(timer);
      await stopStreams();
      await Promise.all(
        [...sockets].map((socket) => new Promise<void>((resolve) => socket.close(() => resolve()))),
      );
    },
  };
}

/** Relays UDP; returns all sockets that there are. */
function relayMessages(
  door: dgram.Socket,
  nearPort: number,
  later: (run: () => void) => void,
): Iterable<dgram.Socket> {
  /** One for each client's port, so that the nameserver's answers can be told apart. */
  const clients = new Map<number, dgram.Socket>();
  door.on("message", (message, client) => {
    let near = clients.get(client.port);
    if (near === undefined) {
      near = dgram.createSocket("udp4");
      near.on(
        "message",
        (answer) => later(() => door.send(answer, client.port, client.address, () => {})),
      );
      clients.set(client.port, near);
    }
    const socket = near;
    later(() => socket.send(message, nearPort, HERE, () => {}));
  });
  return {
    *[Symbol.iterator]() {
      yield door;
      yield* clients.values();
    },
  };
}

/** Relays TCP; returns what ends it. */
function relayStreams(
  listener: Deno.TcpListener,
  nearPort: number,
  later: (run: () => void) => void,
): () => Promise<void> {
  const ended: Promise<unknown>[] = [];
  const open = new Set<Deno.TcpConn>();
  const copy = async (from: Deno.TcpConn, to: Deno.TcpConn) => {
    const chunk = new Uint8Array(65_536);
    try {
      for (let size; (size = await from.read(chunk)) !== null;) {
        const bytes = chunk.slice(0, size);
        later(() => void to.write(bytes).catch(() => {}));
      }
    } catch {
      // Reset, or closed below.
    }
    later(() => close(to));
  };
  const close = (conn: Deno.TcpConn) => {
    if (open.delete(conn)) conn.close();
  };
  const accept = async () => {
    for await (const client of listener) {
      const near = await Deno.connect({ hostname: HERE, port: nearPort });
      open.add(client).add(near);
      ended.push(copy(client, near), copy(near, client));
    }
  };
  ended.push(accept());
  return async () => {
    listener.close();
    for (const conn of open) close(conn);
    await Promise.all(ended);
  };
}
