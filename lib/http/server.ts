/**
 * The one Deno.serve. It listens on loopback, and answers nobody but the front
 * door: the port that a request comes from tells whose it is.
 */

import { close, writeAll } from "./connection.ts";
import { abortableDelay } from "../delay.ts";
import { errorMessage } from "../error_message.ts";
import type { ConnectionInfo, Handler } from "./handler.ts";
import type { Log } from "../log.ts";
import { withRoom } from "../with_room.ts";

/** The part of Deno.serve that is used. */
export type Serve = (
  options: Deno.ServeTcpOptions,
  handler: Handler,
) => Pick<Deno.HttpServer<Deno.NetAddr>, "finished" | "addr">;

export interface ServerOptions {
  handler: Handler;
  log: Pick<Log, "error">;
  /** For what the network can cause at will. */
  complain: (problem: string) => void;
  serve?: Serve;
  now?: () => number;
  delay?: (ms: number, signal: AbortSignal) => Promise<unknown>;
}

const LOOPBACK = "127.0.0.1";
/** Connections without a request that are kept for the next one. */
const MAX_IDLE = 64;
/** Octets of an answer. */
const MAX_ANSWER = 64 * 1024;
/** Octets of an answer as a rule: it has 200. */
const USUAL_ANSWER = 1024;
/** Milliseconds until it is tried to open it again. */
const FIRST_PAUSE = 10;
const LONGEST_PAUSE = 1000;

const CLOSING = new TextEncoder().encode("connection: close\r\n");

/** A connection to the server. */
export class Line {
  readonly port: number;
  readonly #onClose: (line: Line) => void;
  #requests = 0;
  #isEnding = false;
  buffer = new Uint8Array(USUAL_ANSWER);

  /** @param client whom its requests are of */
  constructor(
    readonly conn: Deno.TcpConn,
    public client: ConnectionInfo,
    onClose: (line: Line) => void,
  ) {
    this.port = (conn.localAddr as Deno.NetAddr).port;
    this.#onClose = onClose;
  }

  /** Whether a request is being answered. */
  get isBusy(): boolean {
    return this.#requests > 0;
  }

  begin(): void {
    this.#requests++;
  }

  done(): void {
    this.#requests--;
    if (this.#isEnding) this.end();
  }

  /** Ends it as soon as no request is being answered; the answers still come. */
  end(): void {
    this.#isEnding = true;
    // Told earlier, the server would not answer.
    if (!this.isBusy) this.conn.closeWrite().catch(() => {});
  }

  close(): void {
    this.#onClose(this);
    close(this.conn);
  }
}

/** Deno's server behind the front door; opened again if it stops by itself. */
export class Server {
  readonly #options: Required<ServerOptions>;
  readonly #lines = new Map<number, Line>();
  readonly #idle: Line[] = [];
  #server: ReturnType<Serve>;
  #reopening: Promise<void> | undefined;
  #openedAt = 0;
  #pause = FIRST_PAUSE;
  readonly #stopping = new AbortController();

  constructor(
    { serve = Deno.serve, now = () => performance.now(), delay = abortableDelay, ...options }:
      ServerOptions,
  ) {
    this.#options = { ...options, serve, now, delay };
    this.#server = this.#open();
  }

  /**
   * Sends a request, and receives the whole answer, which says that the
   * connection is closed.
   *
   * @param head as `parseHead` gives it
   * @param client whom it is of
   */
  async answer(
    head: Uint8Array,
    client: ConnectionInfo,
    method = "GET",
  ): Promise<Uint8Array> {
    const isHead = method === "HEAD";
    const idle = this.#idle.pop();
    if (idle !== undefined) {
      const answer = await this.#ask(idle, head, client, isHead);
      if (answer !== undefined) return answer;
      // The server has closed it meanwhile.
    }
    const line = await this.open(client);
    const answer = await this.#ask(line, head, client, isHead);
    if (answer === undefined) throw new Error("the server ended the connection");
    return answer;
  }

  /** A connection whose requests are all of this client. */
  async open(client: ConnectionInfo): Promise<Line> {
    await this.#reopening;
    const { signal } = this.#stopping;
    signal.throwIfAborted();
    const { port } = this.#server.addr;
    const conn = await Deno.connect({ hostname: LOOPBACK, port });
    if (signal.aborted) close(conn);
    signal.throwIfAborted();
    conn.setNoDelay();
    const line = new Line(conn, client, (line) => {
      // The port may be another's already.
      if (this.#lines.get(line.port) === line) this.#lines.delete(line.port);
    });
    this.#lines.set(line.port, line);
    return line;
  }

  /** Ends it, whether or not requests are being answered. */
  async stop(): Promise<void> {
    this.#stopping.abort(new Error("the server was stopped"));
    for (const line of this.#lines.values()) line.close();
    this.#idle.length = 0;
    await this.#server.finished.catch(() => {});
  }

  /** undefined if the server has ended the connection instead. */
  async #ask(
    line: Line,
    head: Uint8Array,
    client: ConnectionInfo,
    isHead: boolean,
  ): Promise<Uint8Array | undefined> {
    line.client = client;
    try {
      await writeAll(line.conn, head);
      const { answer, isLast } = await readAnswer(line, isHead) ?? {};
      if (
        answer === undefined || isLast || this.#stopping.signal.aborted ||
        this.#idle.length >= MAX_IDLE
      ) {
        line.close();
      } else this.#idle.push(line);
      return answer;
    } catch {
      // Reset, as where it was ended before the request came.
      line.close();
    }
  }

  #open(): ReturnType<Serve> {
    const { log, serve, now } = this.#options;
    this.#openedAt = now();
    const server = serve({
      hostname: LOOPBACK,
      port: 0,
      signal: this.#stopping.signal,
      onListen: () => {},
      onError: (error) => {
        log.error(`internal error: ${errorMessage(error)}`);
        return new Response("FAIL", { status: 500, headers: { "cache-control": "no-store" } });
      },
    }, (request, { remoteAddr }) => this.#handle(request, remoteAddr as Deno.NetAddr));
    void server.finished.then(() => "it ended", errorMessage).then((why) => this.#reopen(why));
    return server;
  }

  /** Deno's server ends when there are no file descriptors left. */
  #reopen(why: string): void {
    const { signal } = this.#stopping;
    if (signal.aborted) return;
    const { complain, now, delay } = this.#options;
    complain(`the server on loopback stopped: ${why}; restarting it`);
    for (const line of this.#idle.splice(0)) line.close();
    this.#reopening = (async () => {
      // One that ends as soon as it is opened is not opened at once each time.
      if (now() - this.#openedAt > LONGEST_PAUSE) this.#pause = FIRST_PAUSE;
      while (!signal.aborted) {
        await delay(this.#pause, signal);
        this.#pause = Math.min(2 * this.#pause, LONGEST_PAUSE);
        try {
          if (!signal.aborted) this.#server = this.#open();
          return;
        } catch (error) {
          complain(`the server on loopback cannot be restarted: ${errorMessage(error)}`);
        }
      }
    })();
  }

  #handle(request: Request, { hostname, port }: Deno.NetAddr): Response | Promise<Response> {
    // Any program on this machine may find the port, and call from the same one of another address.
    const line = hostname === LOOPBACK ? this.#lines.get(port) : undefined;
    if (line === undefined) return new Response(null, { status: 421 });
    const answer = this.#options.handler(request, line.client);
    if (!(answer instanceof Promise)) return answer;
    line.begin();
    return answer.finally(() => line.done());
  }
}

interface Answer {
  answer: Uint8Array;
  /** Whether the server ends the connection after it. */
  isLast: boolean;
}

/** A character an octet. */
const decoder = new TextDecoder("latin1");

/** Reads one answer, whose length its head tells; undefined if the connection ends first. */
async function readAnswer(line: Line, isHead: boolean): Promise<Answer | undefined> {
  let { buffer } = line;
  for (let length = 0;;) {
    const count = await line.conn.read(buffer.subarray(length));
    if (count === null) return undefined;
    length += count;
    const text = decoder.decode(buffer.subarray(0, Math.min(length, USUAL_ANSWER)));
    const end = text.indexOf("\r\n\r\n") + 2;
    if (end >= 2) {
      const head = text.slice(0, end);
      // To HEAD there may be a length, but no body.
      const [, body] = isHead ? [, "0"] : /\r\ncontent-length: (\d+)\r\n/i.exec(head) ?? [];
      if (body === undefined) throw new Error("an answer without a length");
      const whole = end + 2 + Number(body);
      if (whole > MAX_ANSWER) throw new Error("too long an answer");
      if (length >= whole) {
        const isClosing = /\r\nconnection: close\r\n/i.test(head);
        const answer = isClosing ? buffer.slice(0, whole) : closing(buffer, end, whole);
        // What comes after it would be nobody's answer.
        return { answer, isLast: isClosing || length > whole };
      }
      buffer = line.buffer = withRoom(buffer, whole);
    } else if (length >= USUAL_ANSWER) throw new Error("too long a head of an answer");
  }
}

/** The answer with one more field, at the end of its head. */
function closing(answer: Uint8Array, end: number, length: number): Uint8Array {
  const bytes = new Uint8Array(length + CLOSING.length);
  bytes.set(answer.subarray(0, end));
  bytes.set(CLOSING, end);
  bytes.set(answer.subarray(end, length), end + CLOSING.length);
  return bytes;
}
