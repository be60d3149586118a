/**
 * The head of an HTTP/1 request (RFC 9112): read as strictly as it is written, and
 * written anew with nothing in it but what one request without a body may have. So
 * a client and the server behind the front door cannot disagree about what was asked.
 */

/** Octets of a head, through its blank line. */
export const MAX_HEAD = 16 * 1024;
/** Fields of a head; Deno.serve takes 128. */
const MAX_FIELDS = 100;

export interface RequestHead {
  readonly method: string;
  /** What the server gets: HTTP/1.1, no body, nothing about the connection. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Whether it says that a body follows. */
  readonly hasBody: boolean;
}

/** A head that nobody gets to see: the status that says why. */
export type Refusal = 400 | 431 | 505;

/**
 * Where the head ends, counted from the start: behind its first empty line.
 *
 * @param from where to look from: what was looked at before, and found to be no end
 * @returns undefined if the end has not come
 */
export function endOfHead(bytes: Uint8Array, from = 0): number | undefined {
  // An end may have begun in what was looked at.
  for (let at = Math.max(0, from - 2); (at = bytes.indexOf(LF, at)) >= 0; at++) {
    if (bytes[at + 1] === LF) return at + 2;
    if (bytes[at + 1] === CR && bytes[at + 2] === LF) return at + 3;
  }
}

/** Where empty lines end, from there on: a head may have some in front (section 2.2). */
export function endOfEmptyLines(bytes: Uint8Array, from: number): number {
  let at = from;
  while (bytes[at] === CR || bytes[at] === LF) at++;
  return at;
}

const LF = 10;
const CR = 13;

/** A method and a field's name (RFC 9110, section 5.6.2). */
const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
/** A target as a path, or with scheme and authority in front; octets above 127 as some routers send them. */
const TARGET = /^(?:\/|https?:\/\/)[!-~\x80-\xff]*$/i;
const VERSION = /^HTTP\/(\d)\.(\d)$/;
/** What may not be in a field's value (RFC 9110, section 5.5). */
// deno-lint-ignore no-control-regex
const CONTROL = /[\x00-\x08\x0a-\x1f\x7f]/;

/**
 * Fields that are of the connection (RFC 9110, section 7.6.1) or of a body, or
 * that would have the answer another form: the server is not told of them.
 */
const DROPPED = new Set([
  "accept-encoding",
  "connection",
  "content-length",
  "expect",
  "http2-settings",
  "keep-alive",
  "proxy-connection",
  "range",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
]);

/** @param bytes the head without empty lines in front, through its blank line */
export function parseHead(bytes: Uint8Array): RequestHead | Refusal {
  const [requestLine = "", ...fields] = linesOf(bytes);
  const [method = "", target = "", version = "", ...more] = requestLine.split(" ");
  const [, major] = VERSION.exec(version) ?? [];
  if (major === undefined || more.length > 0 || !TOKEN.test(method)) return 400;
  if (major !== "1") return 505;
  if (!TARGET.test(target)) return 400;
  if (fields.length > MAX_FIELDS) return 431;
  let text = `${method} ${target} HTTP/1.1\r\n`;
  let hasBody = false, hosts = 0;
  for (const field of fields) {
    const colon = field.indexOf(":");
    const name = field.slice(0, colon);
    if (colon < 0 || !TOKEN.test(name) || CONTROL.test(field)) return 400;
    const lower = name.toLowerCase();
    if (lower === "host" && ++hosts > 1) return 400;
    if (lower === "content-length" || lower === "transfer-encoding") hasBody = true;
    if (!DROPPED.has(lower)) text += `${field}\r\n`;
  }
  return { method, bytes: octets(`${text}\r\n`), hasBody };
}

/** The lines of a head, a character an octet, without their ends. */
function linesOf(bytes: Uint8Array): string[] {
  const lines = text(bytes).split("\n");
  // The empty line, and what is behind its end.
  lines.length -= 2;
  return lines.map((line) => line.endsWith("\r") ? line.slice(0, -1) : line);
}

/** Octets at a time: as many arguments as a function may have. */
const PART = 4096;

function text(bytes: Uint8Array): string {
  let text = "";
  for (let at = 0; at < bytes.length; at += PART) {
    text += String.fromCharCode(...bytes.subarray(at, at + PART));
  }
  return text;
}

function octets(text: string): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return bytes;
}
