/**
 * The Forwarded header (RFC 7239): whom each proxy asks for. It is read from the right,
 * as the nearest proxy wrote last, so that nothing a client wrote changes what is read of
 * its proxies. (npm's forwarded-parse refuses the whole header for a fault anywhere in
 * it, takes the last of two `for`, and adds 20 ms to every start.)
 */

import { type Address, parseAddress } from "../address.ts";

const SILENT = "did not say, in Forwarded, whom it asks for";
const UNKNOWN = "does not know whom it asks for: it sent for=unknown in Forwarded";
const HIDDEN = 'hides whom it asks for: it sent an obfuscated name, for="_…", in Forwarded';
const WRONG = "sent something else than an address in Forwarded " +
  '(right is for=192.0.2.1 or for="[2001:db8::1]")';

/**
 * Those whom the proxies ask for, the nearest proxy's first: an address, or what the proxy
 * did instead of naming one, for the log. Nothing of the header is in that.
 *
 * @param header all its lines, joined by commas (RFC 9110, section 5.3)
 */
export function* forwardedFor(header: string): Generator<Address | string> {
  for (const element of elementsFromRight(header)) yield clientIn(element);
}

/**
 * What is between commas. A quote that ends a string is found before the one that begins
 * it; between them, each quote has a backslash in front, and the one that begins it has
 * the equals sign.
 */
function* elementsFromRight(header: string): Generator<string> {
  let end = header.length, isQuoted = false;
  for (let at = end - 1; at >= 0; at--) {
    if (header[at] === '"') isQuoted = !isQuoted || header[at - 1] === "\\";
    else if (header[at] === "," && !isQuoted) {
      yield header.slice(at + 1, end);
      end = at;
    }
  }
  yield header.slice(0, end);
}

const TOKEN = "[!#$%&'*+.^_`|~0-9A-Za-z-]+";
/** A pair, which may be missing, and what ends it; no two parts can take the same octets. */
const PAIR = new RegExp(
  `[ \\t]*(?:(${TOKEN})=(?:(${TOKEN})|"((?:[^"\\\\]|\\\\.)*)")[ \\t]*)?(;|$)`,
  "y",
);

function clientIn(element: string): Address | string {
  let node: string | undefined;
  PAIR.lastIndex = 0;
  for (let hasMore = true; hasMore;) {
    const [matched, name, token, quoted = "", separator] = PAIR.exec(element) ?? [];
    if (matched === undefined) return WRONG;
    hasMore = separator === ";";
    if (name?.toLowerCase() !== "for") continue;
    // No parameter may come twice (section 4).
    if (node !== undefined) return WRONG;
    node = token ?? quoted.replaceAll(/\\(.)/g, "$1");
  }
  return node === undefined ? SILENT : parseNode(node);
}

/** A name, an IPv4 address or an IPv6 address in brackets, and perhaps a port (section 6). */
const NODE =
  /^(?:(unknown)|(_[\w.-]+)|([\d.]+)|\[([\da-f:.]*:[\da-f:.]*)\])(?::(?:\d{1,5}|_[\w.-]+))?$/i;

function parseNode(node: string): Address | string {
  const [, unknown, hidden, ipv4, ipv6] = NODE.exec(node) ?? [];
  if (unknown !== undefined) return UNKNOWN;
  if (hidden !== undefined) return HIDDEN;
  return parseAddress(ipv4 ?? ipv6 ?? "") ?? WRONG;
}
