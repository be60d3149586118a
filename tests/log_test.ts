import { assert, assertEquals } from "@std/assert";
import {
  createLog,
  LEVELS,
  limitRate,
  type LogFormat,
  type LogOptions,
  oneLine,
  type RateLimit,
} from "../lib/log.ts";
import { EVENTS, type LogEvent } from "../lib/log_event.ts";
import { within } from "./support.ts";

const EVENT: LogEvent = { event: "listening" };

/** What every level writes, in order. */
function written(options: LogOptions, message = "m"): string[] {
  const lines: string[] = [];
  const log = createLog({
    now: () => new Date("2026-11-05T06:07:08.009Z"),
    write: (line) => lines.push(line),
    ...options,
  });
  for (const level of LEVELS) log[level](message, EVENT);
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
  withStderr(inPieces, () => createLog({ journal: true }).info("héllo", EVENT));
  assertEquals(new TextDecoder().decode(new Uint8Array(octets)), "<6>héllo\n");
  octets.length = 0;
  withStderr(inPieces, () => createLog().error("m", EVENT));
  const [, time] = /^(\S+) error: m\n$/.exec(new TextDecoder().decode(new Uint8Array(octets)))!;
  assertEquals(new Date(time!).toISOString(), time);
});

Deno.test("createLog() ignores that nobody reads stderr", () => {
  const fail = () => {
    throw new Deno.errors.BrokenPipe();
  };
  withStderr(fail, () => createLog().error("m", EVENT));
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

/** A log function with a limit, on a clock that is set by hand. */
function limited(limit: Pick<RateLimit, "most" | "summary">) {
  const lines: string[] = [];
  const delays: { end: () => void; at: number }[] = [];
  let time = 5000;
  const log = limitRate((line) => lines.push(line), {
    ...limit,
    now: () => time,
    delay: (ms) => {
      const { promise, resolve } = Promise.withResolvers<void>();
      delays.push({ end: resolve, at: time + ms });
      return promise;
    },
  });
  /** Moves the clock without a delay that ends; the lines written since the last time. */
  const skip = (ms: number) => {
    time += ms;
    return lines.splice(0);
  };
  /** Moves the clock, and ends the delays that are due; the lines written since the last time. */
  const pass = async (ms: number) => {
    time += ms;
    for (const delay of delays.splice(0)) {
      if (delay.at <= time) delay.end();
      else delays.push(delay);
    }
    await Promise.resolve();
    return lines.splice(0);
  };
  const say = (...messages: string[]) => messages.forEach((message) => log(message, EVENT));
  return { say, pass, skip, delays };
}

const summary = (count: number) => `+${count}`;

Deno.test("limitRate() writes so many lines a second at most, and sums up the others", async () => {
  const { say, pass, delays } = limited({ most: 3, summary });
  say("a", "b", "c");
  assertEquals(await pass(500), ["a", "b", "c"]);
  say(..."defghij");
  assertEquals(delays.map(({ at }) => at), [6000]);
  assertEquals(await pass(499), []);
  assertEquals(await pass(1), ["+7"]);
  // The sum is a line of this second.
  say(..."klmn");
  assertEquals(await pass(999), ["k", "l"]);
  assertEquals(await pass(1), ["+2"]);
  assertEquals(await pass(10_000), []);
  say("o", "p", "q");
  assertEquals([await pass(0), delays.length], [["o", "p", "q"], 0]);
});

Deno.test("limitRate() writes the one line that it held back instead of a sum", async () => {
  const { say, pass } = limited({ most: 2, summary });
  say("a", "b", "c");
  assertEquals(await pass(1000), ["a", "b", "c"]);
});

Deno.test("limitRate() lets a slow stream through", async () => {
  const { say, pass, delays } = limited({ most: 3, summary });
  for (let i = 0; i < 20; i++) {
    say("a", "b", "c");
    assertEquals(await pass(1000), ["a", "b", "c"]);
  }
  assertEquals(delays.length, 0);
});

Deno.test("limitRate() keeps holding back until a late delay ends", async () => {
  const { say, pass, skip } = limited({ most: 3, summary });
  say(..."abcde");
  assertEquals(skip(3000), ["a", "b", "c"]);
  say("f", "g", "h");
  assertEquals(skip(0), []);
  assertEquals(await pass(0), ["+5"]);
  // The second began with this line, not when it was due.
  say("i", "j", "k");
  assertEquals(await pass(999), ["i", "j"]);
});

Deno.test("limitRate() writes a line a second, the newest, unless told otherwise", async () => {
  const { say, pass, delays } = limited({});
  say("first");
  assertEquals(await pass(300), ["first"]);
  say("second", "third", "fourth");
  assertEquals(delays.map(({ at }) => at), [6000]);
  assertEquals(await pass(699), []);
  assertEquals(await pass(1), ["fourth"]);
  assertEquals(await pass(999), []);
  say("fifth");
  assertEquals([await pass(0), delays.map(({ at }) => at)], [[], [7000]]);
  assertEquals(await pass(1), ["fifth"]);
  await pass(1000);
  say("sixth");
  assertEquals([await pass(0), delays.length], [["sixth"], 0]);
});

Deno.test("limitRate() has a clock unless told otherwise", async () => {
  const lines: string[] = [];
  const over = Promise.withResolvers<void>();
  const log = limitRate((line) => {
    lines.push(line);
    if (lines.length === 2) over.resolve();
  });
  const started = performance.now();
  for (const text of ["first", "second", "third"]) log(text, EVENT);
  assertEquals(lines, ["first"]);
  await within(over.promise, "the newest line");
  assertEquals(lines, ["first", "third"]);
  const ms = performance.now() - started;
  assert(ms > 950, `after ${ms} ms`);
});

Deno.test("createLog() marks errors and warnings for a terminal, never for the journal", () => {
  for (const [journal, expected] of [[false, "\x1b[31merror\x1b[0m: a"], [true, "<3>a"]] as const) {
    const lines: string[] = [];
    const write = (line: string) => void lines.push(line);
    createLog({ colour: true, journal, write }).error("a", EVENT);
    createLog({ colour: true, write }).info("b", EVENT);
    assertEquals(lines[0]!.trimEnd().replace(/^\S+Z /, ""), expected);
    assertEquals(lines[1]!.trimEnd().replace(/^\S+Z /, ""), "info: b");
  }
});

Deno.test("createLog() writes JSON, an object a line, with what the event is about", () => {
  const event: LogEvent = {
    event: "changed",
    host: "a.dyn.example",
    type: "A",
    old: "?",
    new: "::1",
  };
  const lines: string[] = [];
  const write = (line: string) => void lines.push(line);
  const now = () => new Date("2026-11-05T06:07:08.009Z");
  let format: LogFormat = "json";
  const log = createLog({ now, write, format: () => format, level: "debug", colour: true });
  log.info("m", event);
  log.debug("d");
  format = "text";
  log.info("m", event);
  createLog({ now, write, journal: true, format: () => "json" }).error("m", EVENT);
  const time = "2026-11-05T06:07:08.009Z";
  const changed =
    `"event":"changed","host":"a.dyn.example","type":"A","old":"?","new":"::1","message":"m"`;
  assertEquals(lines, [
    `{"time":"${time}","level":"info",${changed}}\n`,
    `{"time":"${time}","level":"debug","event":"debug","message":"d"}\n`,
    `${time} info: m\n`,
    `<3>{"time":"${time}","level":"error","event":"listening","message":"m"}\n`,
  ]);
});

Deno.test("createLog() keeps a hostile message in one JSON string", () => {
  const message = 'a\n"}\x1b\x9b\u2028<0>';
  const [line] = written({ level: "error", format: () => "json" }, message);
  assertEquals(JSON.parse(line!).message, message);
  // deno-lint-ignore no-control-regex
  assert(/^[^\x00-\x1f\x7f-\x9f\u2028\u2029]*\n$/.test(line!), line);
});

Deno.test("limitRate() says with the event for how many lines one stands", async () => {
  const events: LogEvent[] = [];
  const delay = Promise.withResolvers<void>();
  const log = limitRate((_line, event) => events.push(event), {
    summary,
    now: () => 0,
    delay: () => delay.promise,
  });
  for (let i = 0; i < 4; i++) log(`${i}`, EVENT);
  delay.resolve();
  await Promise.resolve();
  assertEquals(events, [EVENT, { event: "held_back", count: 3 }]);
});

Deno.test("the manual page names every event, and no others", async () => {
  const page = await Deno.readTextFile(new URL("../contrib/sftdyn.8", import.meta.url));
  const [, list] = /^The events are:\n(.*?)^\.El$/ms.exec(page)!;
  const named = [...list!.matchAll(/^\.It Li (.*)$/gm)].flatMap(([, names]) => names!.split(" , "));
  assertEquals(named.toSorted(), EVENTS.toSorted());
});
