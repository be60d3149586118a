/** The log: one line per event on stderr, for systemd's journal or for a person; no secrets. */

import { type Colour, coloured } from "./colour.ts";
import { delay as realDelay } from "./delay.ts";
import type { LogEvent } from "./log_event.ts";

export const LEVELS = ["error", "warning", "info", "debug"] as const;
export type Level = typeof LEVELS[number];

/** Writes a line: the message is for people, the event for programs. */
export type LogLine = (message: string, event: LogEvent) => void;

export interface Log extends Readonly<Record<Exclude<Level, "debug">, LogLine>> {
  debug(message: string): void;
}

/** Lines for people, or a JSON object each. */
export const LOG_FORMATS = ["text", "json"] as const;
export type LogFormat = typeof LOG_FORMATS[number];

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
  /** Asked for each line. */
  format?: () => LogFormat;
  write?: (line: string) => void;
  now?: () => Date;
}

/**
 * Creates a log. Control characters in a message are escaped, so that it stays one
 * line. A JSON object goes to the journal with its priority in front, too, which
 * the journal takes off.
 */
export function createLog(
  {
    level = "info",
    journal = false,
    colour = false,
    format = () => "text",
    write = writeToStderr,
    now = () => new Date(),
  }: LogOptions = {},
): Log {
  const at = (own: Level): LogLine => {
    if (LEVELS.indexOf(own) > LEVELS.indexOf(level)) return () => {};
    const ownColour = colour ? COLOURS[own] : undefined;
    const word = ownColour === undefined ? own : coloured(own, ownColour);
    const priority = journal ? `<${PRIORITY[own]}>` : "";
    return (message, event) => {
      if (format() === "json") {
        const line = { time: now().toISOString(), level: own, ...event, message };
        return write(`${priority}${escapedJson(JSON.stringify(line))}\n`);
      }
      const start = journal ? priority : `${now().toISOString()} ${word}: `;
      write(`${start}${oneLine(message)}\n`);
    };
  };
  const debug = at("debug");
  return {
    error: at("error"),
    warning: at("warning"),
    info: at("info"),
    debug: (message) => debug(message, { event: "debug" }),
  };
}

/** JSON without what a terminal, or a program that reads lines, may take for more than text. */
export function escapedJson(json: string): string {
  return json.replace(/[\x7f-\x9f\u2028\u2029]/g, (char) => {
    return `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`;
  });
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
  write: LogLine,
  { most = 1, summary, now = () => performance.now(), delay = realDelay }: RateLimit = {},
): LogLine {
  let start = -Infinity, written = 0, heldBack = 0;
  let newest: Parameters<LogLine>;
  const writeHeldBack = () => {
    if (heldBack === 1 || summary === undefined) write(...newest);
    else write(summary(heldBack), { event: "held_back", count: heldBack });
    start = now();
    written = 1;
    heldBack = 0;
  };
  return (message, event) => {
    const time = now();
    if (heldBack === 0 && time - start >= 1000) {
      start = time;
      written = 0;
    }
    if (written < most) {
      written++;
      write(message, event);
      return;
    }
    newest = [message, event];
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
