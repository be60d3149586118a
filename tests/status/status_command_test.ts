import { assertEquals, assertRejects } from "@std/assert";
import { ConfigError } from "../../lib/config/config.ts";
import type { StatusReport } from "../../lib/status/report.ts";
import { status, type StatusOptions } from "../../lib/status/status_command.ts";
import { ago, ATTIC, CABIN, DAY, HOME, HOUR, OFFICE, REPORT } from "./sample.ts";

const FILE = "/etc/sftdyn/sftdyn.toml";
const ENDPOINT = { hostname: "127.0.0.1", port: 9053 };
const STATUS = { endpoints: [ENDPOINT], networks: [], metricsHosts: 0 };
const DAY_MS = DAY * 1000;

interface Told {
  isDone: boolean;
  printed: string[];
  told: string[];
}

async function statusOf(report: StatusReport, options: Partial<StatusOptions> = {}): Promise<Told> {
  const printed: string[] = [], told: string[] = [];
  const isDone = await status({
    file: FILE,
    load: () => Promise.resolve({ status: STATUS }),
    ask: (endpoint) => {
      assertEquals(endpoint, ENDPOINT);
      return Promise.resolve(report);
    },
    stale: undefined,
    isJson: false,
    print: (line) => void printed.push(line),
    tell: (line) => void told.push(line),
    ...options,
  });
  return { isDone, printed, told };
}

Deno.test("status() prints a summary, the faults and all hosts", async () => {
  const report = { ...REPORT, hosts: [ATTIC, HOME], faults: ["reload: line 3\n"] };
  assertEquals(await statusOf(report), {
    isDone: true,
    printed: [
      "2 hosts, 1 not called for a day",
      "calls are known since 2026-11-19 14:32:07 UTC",
      "fault: reload: line 3\\x0a",
      "",
      "HOST               CALLED     ANSWER  CHANGED  FROM         A",
      "attic.dyn.example  not in 9d  -       -        -            -",
      "home.dyn.example   5m ago     OK      5m ago   203.0.113.7  203.0.113.7",
    ],
    told: [],
  });
  const coloured = (await statusOf(report, { hasColour: true })).printed;
  assertEquals(coloured[2], "\x1b[31mfault\x1b[0m: reload: line 3\\x0a");
  const { printed } = await statusOf({ ...report, since: ago(HOUR), faults: [] });
  assertEquals(printed.slice(0, 2), [
    "2 hosts, 0 not called for a day, 1 not called yet: too early to tell",
    "calls are known since 2026-11-28 13:32:07 UTC",
  ]);
  assertEquals((await statusOf({ ...REPORT, hosts: [] })).printed, [
    "0 hosts, 0 not called for a day",
    "calls are known since 2026-11-19 14:32:07 UTC",
  ]);
});

Deno.test("status() with stale prints who is silent and nobody else, and is then not done", async () => {
  const report = { ...REPORT, faults: ["reload: line 3"] };
  const { isDone, printed, told } = await statusOf(report, { stale: 2 * DAY_MS });
  assertEquals([isDone, told], [false, []]);
  assertEquals(printed.map((line) => line.split(" ")[0]), [
    "HOST",
    "attic.dyn.example",
    "cellar.dyn.example",
    "cabin.dyn.example",
  ]);
});

Deno.test("status() with stale says nothing if nobody is silent", async () => {
  const report = { ...REPORT, hosts: [CABIN, OFFICE, HOME] };
  assertEquals(await statusOf(report, { stale: 4 * DAY_MS }), {
    isDone: true,
    printed: [],
    told: [],
  });
});

Deno.test("status() with stale tells a person alone of whom it is too early to tell", async () => {
  const report = { ...REPORT, since: ago(5 * HOUR), hosts: [ATTIC, HOME] };
  const line = "1 host not called yet: too early to tell, as calls are known since " +
    "2026-11-28 09:32:07 UTC, for less than 1 day";
  assertEquals(await statusOf(report, { stale: DAY_MS }), {
    isDone: true,
    printed: [],
    told: [line],
  });
  assertEquals((await statusOf(report, { stale: DAY_MS, tell: undefined })).printed, []);
  // It becomes a finding by itself.
  assertEquals((await statusOf(report, { stale: 5 * HOUR * 1000 })).isDone, false);
  const silent = await statusOf({ ...report, hosts: [ATTIC, CABIN] }, { stale: DAY_MS });
  assertEquals([silent.isDone, silent.printed.length, silent.printed[2]], [
    false,
    3,
    line.replace("host", "more host"),
  ]);
});

Deno.test("status() says how many hosts it is not told of", async () => {
  const left = "7 more hosts called later than these, and cannot be told of here";
  const report = { ...REPORT, hosts: [ATTIC, CABIN], hosts_left_out: 7 };
  const all = (await statusOf(report)).printed;
  assertEquals([all[0], all.at(-1)], ["9 hosts, 2+ not called for a day", left]);
  assertEquals((await statusOf(report, { stale: 3 * DAY_MS })).printed.at(-1), left);
  assertEquals((await statusOf(report, { stale: 4 * DAY_MS })).printed.length, 2);
});

Deno.test("status() prints the report for programs, whole or of those that are silent", async () => {
  const json = async (options: Partial<StatusOptions>) => {
    const { isDone, printed } = await statusOf(REPORT, { ...options, isJson: true });
    return { isDone, report: JSON.parse(printed.join("\n")) };
  };
  assertEquals(await json({}), { isDone: true, report: REPORT });
  assertEquals(await json({ stale: 9 * DAY_MS }), {
    isDone: false,
    report: { ...REPORT, hosts: REPORT.hosts.slice(0, 2) },
  });
  assertEquals(await json({ stale: 10 * DAY_MS }), {
    isDone: true,
    report: { ...REPORT, hosts: [] },
  });
});

Deno.test("status() names the line that a configuration lacks", async () => {
  const load = () => Promise.resolve({ status: undefined });
  const error = await assertRejects(() => statusOf(REPORT, { load }), ConfigError);
  assertEquals(error.faults, [
    `${FILE}: without status, sftdyn does not tell who calls in: put the line ` +
    'status = "127.0.0.1:9053" above [clients], and reload sftdyn',
  ]);
});

Deno.test("a terminal is told nothing but text, in the table and as JSON", async () => {
  const odd = "\x9b2J\x1b]0;\u2028";
  const evil = { ...HOME, answer: odd as "OK", from: odd, a: odd, fault: odd, last_fault: ago(1) };
  const report = { ...REPORT, hosts: [evil], faults: [odd] };
  const printed = async (isJson: boolean) =>
    (await statusOf(report, { isJson })).printed.join("\n");
  for (const isJson of [false, true]) assertEquals(/[^\n -~]/.test(await printed(isJson)), false);
  assertEquals(JSON.parse(await printed(true)), report);
});
