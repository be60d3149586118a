/** The log: one line an event on stderr, for systemd's journal or for a person; no secrets. */

import { pass } from "./delay.ts";

export const LEVELS = ["error", "warning", "info", "debug"] as const;
export type Level = typeof LEVELS[number];

export type Log = { readonly [level in Level]: (message: string) => void };

/** syslog's numbers (sd-daemon(3)). */
const PRIORITY: Record<Level, number> = { error: 3, warning: 4, info: 6, debug: 7 };

export interface LogOptions {
  /** The least urgent level that is written. */
  level?: Level;
  /** Whether systemd's journal reads it: lines begin with `<N>` instead of a time. */
  journal?: boolean;
  write?: (line: string) => void;
  now?: () => Date;
}

/** Makes a log. Control characters in a message are escaped, so that it stays one line. */
export function createLog(
  { level = "info", journal = false, write = writeToStderr, now = () => new Date() }: LogOptions =
    {},
): Log {
  const at = (own: Level): Log[Level] => {
    if (LEVELS.indexOf(own) > LEVELS.indexOf(level)) return () => {};
    return (message) => {
      const start = journal ? `<${PRIORITY[own]}>` : `${now().toISOString()} ${own}: `;
      write(`${start}${oneLine(message)}\n`);
    };
  };
  return { error: at("error"), warning: at("warning"), info: at("info"), debug: at("debug") };
}

/** The text with every control character and line separator as `\xNN` or `\uNNNN`. */
export function oneLine(text: string): string {
  // deno-lint-ignore no-control-regex
  return text.replace(/[\x00-\x1f\x7f-\x9f\u2028\u2029]/g, (char) => {
    const code = char.charCodeAt(0);
    return code < 256
      ? `\\x${code.toString(16).padStart(2, "0")}`
      : `\\u${code.toString(16).padStart(4, "0")}`;
  });
}

export interface FloodOptions {
  /** Lines a second at the most, the sum included. */
  most?: number;
  now?: () => number;
  /** Calls a function after so many milliseconds, without keeping the process alive. */
  later?: (run: () => void, ms: number) => void;
}

/**
 * Holds back a log function that the network can call at will: what is over
 * the limit is counted, and the count is written when the second is over.
 */
export function limitFlood(
  write: (message: string) => void,
  sum: (count: number) => string,
  { most = 10, now = Date.now, later = laterUnref }: FloodOptions = {},
): (message: string) => void {
  let windowStart = -Infinity, written = 0, heldBack = 0;
  const writeSum = () => {
    write(sum(heldBack));
    heldBack = 0;
  };
  return (message) => {
    const time = now();
    // A clock that was set back begins a new second, too.
    if (heldBack === 0 && (time - windowStart >= 1000 || time < windowStart)) {
      windowStart = time;
      written = 0;
    }
    if (written < most - 1) {
      written++;
      write(message);
    } else if (++heldBack === 1) later(writeSum, Math.max(0, windowStart + 1000 - time));
  };
}

/**
 * Holds back a log function that repeats itself: of what comes within a second
 * of the last line, the newest is written when the second is over.
 */
export function onceASecond(
  write: (message: string) => void,
  { now = () => performance.now(), wait = pass }: {
    now?: () => number;
    wait?: (ms: number) => Promise<unknown>;
  } = {},
): (message: string) => void {
  let writtenAt = -Infinity;
  let newest: string | undefined;
  const writeNewest = () => {
    writtenAt = now();
    write(newest!);
    newest = undefined;
  };
  return (message) => {
    const isWaiting = newest !== undefined;
    newest = message;
    const rest = writtenAt + 1000 - now();
    if (rest <= 0 && !isWaiting) writeNewest();
    else if (!isWaiting) void wait(rest).then(writeNewest);
  };
}

function laterUnref(run: () => void, ms: number): void {
  Deno.unrefTimer(setTimeout(run, ms));
}

const encoder = new TextEncoder();

function writeToStderr(line: string): void {
  try {
    for (let left = encoder.encode(line); left.length > 0;) {
      left = left.subarray(Deno.stderr.writeSync(left));
    }
  } catch {
    // Nobody reads the log any more, or its disk is full: serving goes on.
  }
}
