/**
 * Somebody from the network who means no good: a TCP connection from any address of
 * 127.0.0.0/8. Deno cannot choose the address that it calls from, so these are sockets
 * of the C library, none of whose calls ever waits.
 */

const libc = Deno.dlopen("libc.so.6", {
  socket: { parameters: ["i32", "i32", "i32"], result: "i32" },
  bind: { parameters: ["i32", "buffer", "u32"], result: "i32" },
  connect: { parameters: ["i32", "buffer", "u32"], result: "i32" },
  send: { parameters: ["i32", "buffer", "usize", "i32"], result: "isize" },
  recv: { parameters: ["i32", "buffer", "usize", "i32"], result: "isize" },
  poll: { parameters: ["buffer", "u64", "i32"], result: "i32" },
  setsockopt: { parameters: ["i32", "i32", "i32", "buffer", "u32"], result: "i32" },
  close: { parameters: ["i32"], result: "i32" },
});
const { symbols: c } = libc;

// socket(2), poll(2) and their headers, on Linux.
const AF_INET = 2, SOCK_STREAM = 1, SOCK_CLOEXEC = 0o2000000, SOCK_NONBLOCK = 0o4000;
const MSG_DONTWAIT = 0x40, MSG_NOSIGNAL = 0x4000;
const SOL_SOCKET = 1, SO_LINGER = 13, SO_RCVBUF = 8;
const IPPROTO_IP = 0, IP_BIND_ADDRESS_NO_PORT = 24;
const POLLIN = 1, POLLERR = 8, POLLHUP = 0x10, POLLRDHUP = 0x2000;

/** The i-th of thousands of addresses, none of which anybody else has. */
export function loopback(i: number): string {
  return `127.1.${1 + Math.floor(i / 250)}.${1 + i % 250}`;
}

function socketAddress(hostname: string, port: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(16);
  bytes[0] = AF_INET;
  bytes.set([port >> 8, port & 255], 2);
  bytes.set(hostname.split(".").map(Number), 4);
  return bytes;
}

const encoder = new TextEncoder();

export class Stranger {
  #fd: number;

  /** @param receives octets that may wait to be read; what the system gives unless said */
  constructor(port: number, from: string, { receives }: { receives?: number } = {}) {
    this.#fd = c.socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (this.#fd < 0) throw new Error("no more sockets");
    this.#set(IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1);
    if (receives !== undefined) this.#set(SOL_SOCKET, SO_RCVBUF, receives);
    if (c.bind(this.#fd, socketAddress(from, 0), 16) !== 0) throw new Error(`cannot be ${from}`);
    // On loopback it is connected, or refused, at once: which, is seen later.
    c.connect(this.#fd, socketAddress("127.0.0.1", port), 16);
  }

  /** How many octets of it the system took. */
  send(data: string | Uint8Array<ArrayBuffer>): number {
    const bytes = typeof data === "string" ? encoder.encode(data) : data;
    if (this.#fd < 0 || bytes.length === 0) return 0;
    return Number(c.send(this.#fd, bytes, BigInt(bytes.length), MSG_DONTWAIT | MSG_NOSIGNAL));
  }

  /** What has come; undefined if nothing has, or if the other side has ended it. */
  receive(): Uint8Array<ArrayBuffer> | undefined {
    if (this.#fd < 0 || (this.#events() & POLLIN) === 0) return undefined;
    const bytes = new Uint8Array(16_384);
    const count = Number(c.recv(this.#fd, bytes, BigInt(bytes.length), MSG_DONTWAIT));
    return count > 0 ? bytes.subarray(0, count) : undefined;
  }

  /** Whether the other side has ended it, or never took it. */
  get isEnded(): boolean {
    return this.#fd < 0 || (this.#events() & (POLLRDHUP | POLLHUP | POLLERR)) !== 0;
  }

  close(): void {
    if (this.#fd >= 0) c.close(this.#fd);
    this.#fd = -1;
  }

  /** Closes it so that the other side is told of a fault. */
  reset(): void {
    this.#set(SOL_SOCKET, SO_LINGER, 1, 0);
    this.close();
  }

  #events(): number {
    const bytes = new Uint8Array(8);
    const view = new DataView(bytes.buffer);
    view.setInt32(0, this.#fd, true);
    view.setInt16(4, POLLIN | POLLRDHUP, true);
    c.poll(bytes, 1n, 0);
    return view.getUint16(6, true);
  }

  #set(level: number, option: number, ...values: number[]): void {
    const bytes = new Uint8Array(Int32Array.from(values).buffer);
    c.setsockopt(this.#fd, level, option, bytes, bytes.length);
  }
}

/**
 * A stranger who speaks TLS: Deno's own client, whose octets go through a socket of
 * ours. Its handshake is finished when it is there.
 */
export class TlsStranger {
  private constructor(readonly tls: Deno.TlsConn, readonly outer: Stranger) {}

  static async connect(
    port: number,
    from: string,
    options: Pick<Deno.ConnectTlsOptions, "caCerts" | "alpnProtocols">,
  ): Promise<TlsStranger> {
    using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const near = listener.accept();
    const address = listener.addr as Deno.NetAddr;
    const tls = await Deno.connectTls({ ...options, hostname: "127.0.0.1", port: address.port });
    const outer = new Stranger(port, from);
    void pump(await near, outer);
    const stranger = new TlsStranger(tls, outer);
    try {
      await tls.handshake();
    } catch (error) {
      stranger.close();
      throw error;
    }
    return stranger;
  }

  /** Sends it, unless that is no longer possible. */
  send(data: string | Uint8Array<ArrayBuffer>): void {
    const bytes = typeof data === "string" ? encoder.encode(data) : data;
    if (bytes.length > 0) this.tls.write(bytes).catch(() => {});
  }

  get isEnded(): boolean {
    return this.outer.isEnded;
  }

  close(): void {
    this.outer.close();
    try {
      this.tls.close();
    } catch {
      // It is.
    }
  }
}

/** Milliseconds between two looks at a socket: it tells nobody when something comes. */
const LOOK = 2;

/** Copies between a connection of Deno's and a socket of ours, until either is ended. */
async function pump(near: Deno.TcpConn, far: Stranger): Promise<void> {
  const forth = (async () => {
    const chunk = new Uint8Array(16_384);
    for (let count; (count = await near.read(chunk)) !== null;) {
      for (let left = chunk.subarray(0, count); left.length > 0 && !far.isEnded;) {
        left = left.subarray(Math.max(0, far.send(left)));
        if (left.length > 0) await pause(LOOK);
      }
    }
  })().catch(() => {}).then(() => far.close());
  try {
    while (!far.isEnded) {
      const bytes = far.receive();
      if (bytes === undefined) await pause(LOOK);
      else for (let left = bytes; left.length > 0;) left = left.subarray(await near.write(left));
    }
  } catch {
    // The near end is closed.
  }
  try {
    near.close();
  } catch {
    // It is.
  }
  await forth;
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
