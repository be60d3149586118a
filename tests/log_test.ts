import { assertEquals } from "@std/assert";
import {
  createLog,
  LEVELS,
  limitFlood,
  type LogOptions,
  onceASecond,
  oneLine,
} from "../lib/log.ts";
import { within } from "./support.ts";

/** What every level writes, in order. */
function written(options: LogOptions, message = "m"): string[] {
  const lines: string[] = [];
  const log = createLog({
    now: () => new Date("2026-11-05T06:07:08.009Z"),
    write: (line) => lines.push(line),
    ...options,
  });
  for (const level of LEVELS) log[level](message);
  return lines;
}

/** Replaces how stderr writes while the function runs. */
function withStderr(writeSync: (bytes: Uint8Array) => number, run: () => void): void {
  const original = Deno.stderr.writeSync;
  Deno.stderr.writeSync = writeSync;
  try {
    run();
  } finally {
    Deno.stderr.writeSync = original;
  }
}

Deno.test("createLog() writes the time and the level, from info on", () => {
  assertEquals(written({}), [
    "2026-11-05T06:07:08.009Z error: m\n",
    "2026-11-05T06:07:08.009Z warning: m\n",
    "2026-11-05T06:07:08.009Z info: m\n",
  ]);
});

Deno.test("createLog() writes syslog's numbers for the journal", () => {
  const lines = written({ journal: true, level: "debug" });
  assertEquals(lines, ["<3>m\n", "<4>m\n", "<6>m\n", "<7>m\n"]);
});

Deno.test("createLog() writes what is as urgent as its level or more", () => {
  for (const [i, level] of LEVELS.entries()) {
    assertEquals(written({ level, journal: true }).length, i + 1);
  }
});

Deno.test("createLog() keeps a hostile message in one line", () => {
  const lines = written({ level: "error", journal: true }, "a\n<0>forged\r\x1b[2J");
  assertEquals(lines, ["<3>a\\x0a<0>forged\\x0d\\x1b[2J\n"]);
});

Deno.test("createLog() writes a whole line to stderr, in pieces if it must", () => {
  const octets: number[] = [];
  const inPieces = (bytes: Uint8Array) => {
    octets.push(...bytes.subarray(0, 3));
    return Math.min(3, bytes.length);
  };
  withStderr(inPieces, () => createLog({ journal: true }).info("héllo"));
  assertEquals(new TextDecoder().decode(new Uint8Array(octets)), "<6>héllo\n");
  octets.length = 0;
  withStderr(inPieces, () => createLog().error("m"));
  const [, time] = /^(\S+) error: m\n$/.exec(new TextDecoder().decode(new Uint8Array(octets)))!;
  assertEquals(new Date(time!).toISOString(), time);
});

Deno.test("createLog() goes on when nobody reads stderr", () => {
  const fail = () => {
    throw new Deno.errors.BrokenPipe();
  };
  withStderr(fail, () => createLog().error("m"));
});

Deno.test("oneLine() escapes control characters and line separators, and nothing else", () => {
  const table: [string, string][] = [
    ["", ""],
    ["plain é € 😀 \\ \"'", "plain é € 😀 \\ \"'"],
    ["\0\t\n\r\x1f ~\x7f", "\\x00\\x09\\x0a\\x0d\\x1f ~\\x7f"],
    ["\x80\x85\x9f\xa0", "\\x80\\x85\\x9f\xa0"],
    ["\u2028\u2029", "\\u2028\\u2029"],
  ];
  for (const [text, expected] of table) assertEquals(oneLine(text), expected);
});

/** A flood limit of 4 lines a second on a clock that is set by hand. */
function flood(most = 4) {
  const lines: string[] = [];
  const timers: { run: () => void; at: number }[] = [];
  const clock = { time: 5000 };
  const log = limitFlood((line) => lines.push(line), (count) => `+${count}`, {
    most,
    now: () => clock.time,
    later: (run, ms) => timers.push({ run, at: clock.time + ms }),
  });
  const say = (count: number) => {
    for (let i = 0; i < count; i++) log("m");
  };
  /** Moves the clock, and runs what is due; the lines written since the last time. */
  const pass = (ms: number) => {
    clock.time += ms;
    for (const timer of timers.splice(0)) {
      if (timer.at <= clock.time) timer.run();
      else timers.push(timer);
    }
    return lines.splice(0);
  };
  return { say, pass, timers };
}

Deno.test("limitFlood() writes at most so many lines a second, the last of them the count", () => {
  const { say, pass, timers } = flood();
  say(3);
  assertEquals(pass(500), ["m", "m", "m"]);
  say(7);
  assertEquals(timers.map((timer) => timer.at), [6000]);
  assertEquals(pass(499), []);
  assertEquals(pass(1), ["+7"]);
  say(4);
  assertEquals(pass(999), ["m", "m", "m"]);
  assertEquals(pass(1), ["+1"]);
  assertEquals(pass(10_000), []);
  say(1);
  assertEquals([pass(0), timers.length], [["m"], 0]);
});

Deno.test("limitFlood() lets a slow stream through", () => {
  const { say, pass, timers } = flood();
  for (let i = 0; i < 20; i++) {
    say(3);
    assertEquals(pass(1000), ["m", "m", "m"]);
  }
  assertEquals(timers.length, 0);
});

Deno.test("limitFlood() goes on counting until a late timer comes", () => {
  const { say, pass, timers } = flood();
  say(5);
  const [timer] = timers.splice(0);
  assertEquals(pass(3000), ["m", "m", "m"]);
  say(3);
  assertEquals(pass(0), []);
  timer!.run();
  assertEquals(pass(0), ["+5"]);
});

Deno.test("limitFlood() begins a new second when the clock was set back", () => {
  const { say, pass, timers } = flood();
  say(3);
  assertEquals(pass(-4000), ["m", "m", "m"]);
  say(4);
  assertEquals([pass(0), timers.map((timer) => timer.at)], [["m", "m", "m"], [2000]]);
});

Deno.test("limitFlood() of one line a second has only the count", () => {
  const { say, pass } = flood(1);
  say(2);
  assertEquals(pass(1000), ["+2"]);
});

Deno.test("limitFlood() writes ten lines a second and uses a real timer unless told otherwise", async () => {
  const lines: string[] = [];
  const isDone = Promise.withResolvers<void>();
  let time = 0;
  const log = limitFlood((line) => lines.push(line), (count) => {
    isDone.resolve();
    return `+${count}`;
  }, { now: () => time });
  for (let i = 0; i < 9; i++) log("m");
  time = 999;
  log("m");
  // The limit's own timer keeps nothing alive.
  const deadline = setTimeout(() => isDone.reject(new Error("no count came")), 10_000);
  await isDone.promise;
  clearTimeout(deadline);
  assertEquals(lines, [...Array(9).fill("m"), "+1"]);
});

Deno.test("onceASecond() writes the newest of a second when it is over", async () => {
  const lines: string[] = [];
  const waits: { ms: number; end: () => void }[] = [];
  let time = 5000;
  const wait = (ms: number) => {
    const { promise, resolve } = Promise.withResolvers<void>();
    waits.push({ ms, end: resolve });
    return promise;
  };
  const log = onceASecond((line) => lines.push(line), { now: () => time, wait });
  log("first");
  assertEquals(lines, ["first"]);
  time += 300;
  for (const text of ["second", "third", "fourth"]) log(text);
  assertEquals([lines, waits.map(({ ms }) => ms)], [["first"], [700]]);
  time += 700;
  waits[0]!.end();
  await Promise.resolve();
  assertEquals(lines, ["first", "fourth"]);
  // This began another second.
  time += 999;
  log("fifth");
  assertEquals([lines.length, waits[1]!.ms], [2, 1]);
  time += 1;
  waits[1]!.end();
  await Promise.resolve();
  time += 1000;
  log("sixth");
  assertEquals([lines, waits.length], [["first", "fourth", "fifth", "sixth"], 2]);
});

Deno.test("onceASecond() has a clock unless told otherwise", async () => {
  const lines: string[] = [];
  const over = Promise.withResolvers<void>();
  const log = onceASecond((line) => {
    lines.push(line);
    if (lines.length === 2) over.resolve();
  });
  for (const text of ["first", "second", "third"]) log(text);
  assertEquals(lines, ["first"]);
  await within(over.promise, "the newest line");
  assertEquals(lines, ["first", "third"]);
});
