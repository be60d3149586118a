/** What a hook has thrown, which may be anything, in a line. */

import type { Place, Thrown } from "./messages.ts";

const MAX_TEXT = 300;
const MAX_STACK = 20_000;
// deno-lint-ignore no-control-regex
const COLOUR = /\x1b\[[\d;]*m/g;

/**
 * Describes it; never throws, whatever it is.
 *
 * @param own the URL of a module that is no place of the hooks'
 */
export function describe(thrown: unknown, own: string): Thrown {
  try {
    if (!(thrown instanceof Error)) {
      const text = typeof thrown === "string" ? `"${thrown}"` : whatIs(thrown);
      return { text: `it threw ${firstLine(text)}`, place: undefined };
    }
    const { name, message, stack } = thrown;
    const said = `${message}`.replace(COLOUR, "");
    const text = firstLine(said).replace(/ at file:\S+$/, "");
    const place = placeIn(`${stack}`.slice(0, MAX_STACK).replace(COLOUR, ""), own) ??
      placeIn(said, own);
    // Deno has some of its own in another.
    if (/^\w+Error: /.test(text)) return { text, place };
    return { text: text === "" ? `${name}` : `${name}: ${text}`, place };
  } catch {
    return { text: "it threw what cannot be shown", place: undefined };
  }
}

/** What kind of value it is, in words. */
export function whatIs(value: unknown): string {
  if (value === null) return "null";
  if (Array.isArray(value)) return "a list";
  if (value === undefined) return "undefined";
  return typeof value === "object" ? "an object" : `a ${typeof value}`;
}

function firstLine(text: string): string {
  const line = text.slice(0, 2 * MAX_TEXT).split("\n")[0]!;
  return line.length > MAX_TEXT ? `${line.slice(0, MAX_TEXT)} …` : line;
}

/** The first place in a file that a stack names, but for our own. */
function placeIn(stack: string, own: string): Place | undefined {
  for (const [, path, line, column] of stack.matchAll(/file:\/\/(\/.*?):(\d+):(\d+)/g)) {
    if (`file://${path}` === own) continue;
    return { file: decoded(path!), line: Number(line), column: Number(column) };
  }
}

/** A path in a stack is percent-decoded in part. */
function decoded(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    return path;
  }
}
