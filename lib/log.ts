/** The log: one line per event on stderr, for systemd's journal or for a person; no secrets. */

import { type Colour, coloured } from "./colour.ts";
import { delay as realDelay } from "./delay.ts";

export const LEVELS = ["error", "warning", "info", "debug"] as const;
export type Level = typeof LEVELS[number];

export type Log = { readonly [level in Level]: (message: string) => void };

/** syslog's numbers (sd-daemon(3)). */
const PRIORITY: Record<Level, number> = { error: 3, warning: 4, info: 6, debug: 7 };

const COLOURS: Partial<Record<Level, Colour>> = { error: "red", warning: "yellow" };

export interface LogOptions {
  /** The least urgent level that is written. */
  level?: Level;
  /** Whether it goes to systemd's journal: lines begin with `<N>` instead of a time. */
  journal?: boolean;
  /** Whether errors and warnings are marked for a person at a terminal. */
  colour?: boolean;
  write?: (line: string) => void;
  now?: () => Date;
}

/** Creates a log. Control characters in a message are escaped, so that it stays one line. */
export function createLog(
  {
    level = "info",
    journal = false,
    colour = false,
    write = writeToStderr,
    now = () => new Date(),
  }: LogOptions = {},
): Log {
  const at = (own: Level): Log[Level] => {
    if (LEVELS.indexOf(own) > LEVELS.indexOf(level)) return () => {};
    const ownColour = colour ? COLOURS[own] : undefined;
    const word = ownColour === undefined ? own : coloured(own, ownColour);
    return (message) => {
      const start = journal ? `<${PRIORITY[own]}>` : `${now().toISOString()} ${word}: `;
      write(`${start}${oneLine(message)}\n`);
    };
  };
  return { error: at("error"), warning: at("warning"), info: at("info"), debug: at("debug") };
}

/** The string with every control character and line separator as `\xNN` or `\uNNNN`. */
export function oneLine(text: string): string {
  // deno-lint-ignore no-control-regex
  return text.replace(/[\x00-\x1f\x7f-\x9f\u2028\u2029]/g, (char) => {
    const code = char.charCodeAt(0);
    return code < 256
      ? `\\x${code.toString(16).padStart(2, "0")}`
      : `\\u${code.toString(16).padStart(4, "0")}`;
  });
}

export interface RateLimit {
  /** Lines a second at most; 1 unless told otherwise. */
  most?: number;
  /** The line that stands for several that were held back; the newest of them unless told otherwise. */
  summary?: (heldBack: number) => string;
  /** Milliseconds, of a clock that nobody sets. */
  now?: () => number;
  delay?: (ms: number) => Promise<unknown>;
}

/**
 * Limits a log function that the network can call at will, or that repeats
 * itself. What exceeds the limit becomes one line when the second is over:
 * the first line of the next second.
 */
export function limitRate(
  write: (message: string) => void,
  { most = 1, summary, now = () => performance.now(), delay = realDelay }: RateLimit = {},
): (message: string) => void {
  let start = -Infinity, written = 0, heldBack = 0, newest = "";
  const writeHeldBack = () => {
    write(heldBack === 1 || summary === undefined ? newest : summary(heldBack));
    start = now();
    written = 1;
    heldBack = 0;
  };
  return (message) => {
    const time = now();
    if (heldBack === 0 && time - start >= 1000) {
      start = time;
      written = 0;
    }
    if (written < most) {
      written++;
      write(message);
      return;
    }
    newest = message;
    if (++heldBack === 1) void delay(Math.max(0, start + 1000 - time)).then(writeHeldBack);
  };
}

const encoder = new TextEncoder();

function writeToStderr(line: string): void {
  try {
    for (let left = encoder.encode(line); left.length > 0;) {
      left = left.subarray(Deno.stderr.writeSync(left));
    }
  } catch {
    // Nobody reads the log, or its disk is full: sftdyn keeps serving.
  }
}
