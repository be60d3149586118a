/** What Python's string literals stand for (The Python Language Reference, 2.5). */

const SIMPLE: Readonly<Record<string, string>> = {
  "\n": "",
  "\\": "\\",
  "'": "'",
  '"': '"',
  a: "\x07",
  b: "\b",
  f: "\f",
  n: "\n",
  r: "\r",
  t: "\t",
  v: "\v",
};

/** The end of the code points. */
const MOST = 0x10ffff;
const ESCAPE = /\\(?:([0-7]{1,3})|x([\da-fA-F]{2})|u([\da-fA-F]{4})|U([\da-fA-F]{8})|([^0-7]))/g;

/**
 * The string of a literal with this prefix (in lower case) and this text between
 * its quotes; undefined if it is none, or cannot be told without running Python.
 */
export function stringValue(prefix: string, text: string): string | undefined {
  if (prefix.includes("b") || prefix.includes("t")) return undefined;
  if (prefix.includes("f") && /[{}]/.test(text)) return undefined;
  if (prefix.includes("r") || !text.includes("\\")) return text;
  let isGood = true;
  const value = text.replace(ESCAPE, (escape: string, ...groups: (string | undefined)[]) => {
    const [octal, hex, short, long, other] = groups;
    if (other !== undefined) {
      // A name of a character, or digits that are missing.
      if ("NxuU".includes(other)) isGood = false;
      return SIMPLE[other] ?? escape;
    }
    const code = octal === undefined ? parseInt((hex ?? short ?? long)!, 16) : parseInt(octal, 8);
    if (code <= MOST) return String.fromCodePoint(code);
    isGood = false;
    return "";
  });
  return isGood ? value : undefined;
}
