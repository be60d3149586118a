/** Names that may stand in DNS and in an nsupdate script. */

declare const parsed: unique symbol;

/**
 * A fully qualified host name: lower case, without the final dot, made only of
 * labels of letters, digits and inner hyphens (RFC 1123, section 2.1), which
 * may begin with an underscore (RFC 8552); the first may be a wildcard (RFC 4592).
 */
export type Hostname = string & { readonly [parsed]: true };

const LABEL = /^_?[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;
/** Nearly every name there is; that what it takes is right already is told in a tenth of the time. */
const COMMON = /^(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?$/;
const MAX_NAME = 253;
const MAX_LABEL = 63;

/**
 * Parses a host name; upper case and a final dot are put right.
 *
 * @throws {RangeError} what is wrong and what would be right, without the text:
 * it may be a secret in the wrong place
 */
export function parseHostname(text: string): Hostname {
  if (text.length <= MAX_NAME && COMMON.test(text)) return text as Hostname;
  const labels = labelsOf(text, "host name");
  checkLabels(labels[0] === "*" ? labels.slice(1) : labels, "host name");
  if (labels.length < 2) {
    return fail("host name", 'write it with its zone, such as "host.dyn.example"');
  }
  return labels.join(".") as Hostname;
}

/**
 * Parses the name of a zone: as a host's, but of one label at least, and no wildcard.
 *
 * @throws {RangeError}
 */
export function parseZoneName(text: string): Hostname {
  const labels = labelsOf(text, "zone name");
  checkLabels(labels, "zone name");
  return labels.join(".") as Hostname;
}

type Kind = "host name" | "zone name";

function labelsOf(text: string, kind: Kind): string[] {
  const name = text.toLowerCase().replace(/\.$/, "");
  if (name === "") return fail(kind, "it is empty");
  // deno-lint-ignore no-control-regex
  if (/[^\x00-\x7f]/.test(text)) {
    return fail(kind, "it is not ASCII, write an internationalized name in its xn-- form");
  }
  if (name.length > MAX_NAME) {
    return fail(kind, `it has ${name.length} characters, at most ${MAX_NAME} are allowed`);
  }
  return name.split(".");
}

function checkLabels(labels: readonly string[], kind: Kind): void {
  for (const label of labels) {
    if (label === "") fail(kind, "it has two dots in a row, or one at the beginning");
    if (label.length > MAX_LABEL) {
      fail(kind, `a label of it has ${label.length} characters, at most ${MAX_LABEL} are allowed`);
    }
    if (label.includes("*")) fail(kind, 'a "*" can only be the whole first label of a host');
    if (!LABEL.test(label)) {
      fail(
        kind,
        "its labels may hold letters, digits, inner hyphens and an underscore at the start",
      );
    }
  }
  if (/^\d+$/.test(labels.at(-1) ?? "")) fail(kind, "its last label is a number, as in an address");
}

function fail(kind: Kind, problem: string): never {
  throw new RangeError(`not a ${kind}: ${problem}`);
}
