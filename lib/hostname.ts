/** A host name that may stand in DNS and in an nsupdate script. */

declare const parsed: unique symbol;

/**
 * A fully qualified host name: lower case, without the final dot, made only of
 * labels of letters, digits and inner hyphens (RFC 1123, section 2.1).
 */
export type Hostname = string & { readonly [parsed]: true };

const LABEL = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;

/**
 * Parses a host name; upper case and a final dot are put right.
 *
 * @throws {RangeError} what is wrong and what would be right, without the text:
 * it may be a secret in the wrong place
 */
export function parseHostname(text: string): Hostname {
  const name = text.toLowerCase().replace(/\.$/, "");
  if (name === "") return fail("it is empty");
  // deno-lint-ignore no-control-regex
  if (/[^\x00-\x7f]/.test(text)) {
    return fail("it is not ASCII, write an internationalized name in its xn-- form");
  }
  if (name.length > 253) {
    return fail(`it has ${name.length} characters, and 253 are the most`);
  }
  const labels = name.split(".");
  for (const label of labels) {
    if (label === "") return fail("two dots stand together, or one at the beginning");
    if (label.length > 63) {
      return fail(`a label of it has ${label.length} characters, and 63 are the most`);
    }
    if (!LABEL.test(label)) {
      return fail("its labels may hold letters, digits and inner hyphens only");
    }
  }
  if (labels.length < 2) return fail('write it with its zone, such as "host.dyn.example"');
  if (/^\d+$/.test(labels.at(-1)!)) return fail("its last label is a number, as in an address");
  return name as Hostname;
}

function fail(problem: string): never {
  throw new RangeError(`not a host name: ${problem}`);
}
