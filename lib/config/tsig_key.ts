/** A TSIG key file in BIND's form, as `tsig-keygen` writes it. */

export interface TsigKey {
  readonly name: string;
  readonly algorithm: string;
  /** Bits of the secret; the secret itself is not kept. */
  readonly bits: number;
}

/** What BIND 9.16 and later take (named.conf(5), RFC 8945). */
const ALGORITHMS = [
  "hmac-md5",
  "hmac-md5.sig-alg.reg.int",
  "hmac-sha1",
  "hmac-sha224",
  "hmac-sha256",
  "hmac-sha384",
  "hmac-sha512",
];

/**
 * Reads the one key of a key file.
 *
 * @throws {RangeError} what is wrong with it, without any of its text
 */
export function parseTsigKey(text: string): TsigKey {
  if (text.startsWith("\ufeff")) {
    fail("it begins with a byte order mark, which nsupdate does not accept: save it without one");
  }
  // Comments go; in quotes there are none.
  const clean = text.replace(
    /("[^"]*")|\/\*[\s\S]*?\*\/|(?:\/\/|#)[^\n]*/g,
    (_, quoted) => quoted ?? " ",
  );
  const match = /\bkey\s+"?([^\s"{;]+)"?\s*\{([^}]*)\}\s*(;?)/.exec(clean) ??
    fail('no key in it: expected what tsig-keygen writes, key "NAME" { … };');
  const [whole, name, body, end] = match;
  const rest = clean.slice(0, match.index) + clean.slice(match.index + whole.length);
  if (/\bkey\s/.test(rest)) {
    fail("more than one key in it, and nsupdate takes a file with one: remove the others");
  }
  if (rest.trim() !== "") {
    fail("something besides the key in it, which nsupdate does not accept: remove it");
  }
  if (end === "") fail('no ";" after the last brace');
  const unknown = body!.replace(/\b(?:algorithm|secret)\s+(?:"[^"]*"|[^\s";]+[^";]*)\s*;/g, "");
  if (unknown.trim() !== "") fail("something besides algorithm and secret in its key");
  const [, algorithm] = /\balgorithm\s+"?([\w.-]+)"?\s*;/.exec(body!) ?? fail("no algorithm in it");
  // BIND takes hmac-sha256-128 too, a truncated one.
  if (!ALGORITHMS.includes(algorithm!.toLowerCase().replace(/-\d+$/, ""))) {
    fail("an algorithm that BIND does not know, hmac-sha512 would be right");
  }
  const [, secret] = /\bsecret\s+"?([A-Za-z0-9+/=\s]+?)"?\s*;/.exec(body!) ??
    fail("no secret in it");
  const base64 = secret!.replace(/\s/g, "");
  if (base64.length % 4 !== 0 || !/^[^=]+={0,2}$/.test(base64)) fail("its secret is not base64");
  return { name: name!, algorithm: algorithm!.toLowerCase(), bits: atob(base64).length * 8 };
}

function fail(problem: string): never {
  throw new RangeError(problem);
}
