/**
 * The head of an HTTP/1 request (RFC 9112), read strictly: what two programs could
 * read in two ways is refused, so that nobody in front of sftdyn can be made to
 * disagree with it about what was asked.
 */

/** Octets of a head, through its blank line. */
export const MAX_HEAD = 16 * 1024;
const MAX_FIELDS = 100;

/** What somebody who answers it has to know. */
export interface HttpRequest {
  readonly method: string;
  /** As it was sent, UTF-8 decoded: a path with its query, or a whole URL. */
  readonly target: string;
  readonly headers: Pick<Fields, "get"> & Iterable<[name: string, value: string]>;
}

export interface RequestHead extends HttpRequest {
  readonly headers: Fields;
  /** Whether it says that a body follows. */
  readonly hasBody: boolean;
  /** Whether the client may send another request on this connection. */
  readonly isKept: boolean;
}

/** A head that nobody gets to see: the status that says why. */
export type Refusal = 400 | 431 | 505;

/** The fields of a head, a character an octet. */
export class Fields {
  readonly #fields: [name: string, value: string][] = [];

  /** @param name in lower case, as all that follow */
  add(name: string, value: string): void {
    this.#fields.push([name, value]);
  }

  /** The values of a field, with commas between; null if there is none, as of web Headers. */
  get(name: string): string | null {
    const lower = name.toLowerCase();
    let all: string | null = null;
    for (const [name, value] of this.#fields) {
      if (name === lower) all = all === null ? value : `${all}, ${value}`;
    }
    return all;
  }

  [Symbol.iterator](): Iterator<[name: string, value: string]> {
    return this.#fields.values();
  }
}

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
const CLOSE = /(?:^|,)[ \t]*close[ \t]*(?:,|$)/i;

/**
 * @param bytes the head without empty lines in front, through its blank line
 * @param isStrict whether lines must end with CR and LF, where some clients send LF alone: what
 * a proxy hands on as one value must not be two fields
 */
export function parseHead(bytes: Uint8Array, isStrict = false): RequestHead | Refusal {
  const lines = linesOf(bytes);
  if (isStrict && !lines.every((line) => line.endsWith("\r"))) return 400;
  const [requestLine = "", ...fields] = lines.map(withoutEnd);
  const [method = "", raw = "", version = "", ...more] = requestLine.split(" ");
  const [, major, minor] = VERSION.exec(version) ?? [];
  if (major === undefined || more.length > 0 || !TOKEN.test(method)) return 400;
  if (major !== "1") return 505;
  const target = TARGET.test(raw) ? fromUtf8(raw) : undefined;
  if (target === undefined) return 400;
  if (fields.length > MAX_FIELDS) return 431;
  const headers = new Fields();
  for (const field of fields) {
    const colon = field.indexOf(":");
    const name = field.slice(0, colon);
    if (colon < 0 || !TOKEN.test(name) || CONTROL.test(field)) return 400;
    headers.add(name.toLowerCase(), withoutSpace(field.slice(colon + 1)));
  }
  let hosts = 0, hasBody = false, isKept = minor !== "0";
  for (const [name, value] of headers) {
    if (name === "host") hosts++;
    else if (name === "content-length" || name === "transfer-encoding") hasBody = true;
    else if (name === "connection" && CLOSE.test(value)) isKept = false;
  }
  if (hosts > 1) return 400;
  return { method, target, headers, hasBody, isKept };
}

/** The lines of a head, a character an octet, without LF. */
function linesOf(bytes: Uint8Array): string[] {
  const lines = text(bytes).split("\n");
  // The empty line, and what is behind its end.
  lines.length -= 2;
  return lines;
}

function withoutEnd(line: string): string {
  return line.endsWith("\r") ? line.slice(0, -1) : line;
}

/** Octets at a time: as many arguments as a function may have. */
const PART = 4096;

function text(bytes: Uint8Array): string {
  let text = "";
  for (let at = 0; at < bytes.length; at += PART) {
    // Spread, they would be gone through one by one.
    text += String.fromCharCode.apply(null, bytes.subarray(at, at + PART) as unknown as number[]);
  }
  return text;
}

/** Without the spaces and tabs around it: trim() would take more (section 5). */
function withoutSpace(value: string): string {
  let start = 0, end = value.length;
  while (value[start] === " " || value[start] === "\t") start++;
  while (end > start && (value[end - 1] === " " || value[end - 1] === "\t")) end--;
  return value.slice(start, end);
}

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** @returns undefined if the octets are no UTF-8 */
function fromUtf8(octets: string): string | undefined {
  if (!/[\x80-\xff]/.test(octets)) return octets;
  try {
    return decoder.decode(Uint8Array.from(octets, (char) => char.charCodeAt(0)));
  } catch {
    return undefined;
  }
}
