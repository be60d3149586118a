/** The machine's clock is set while sftdyn runs, for real as its programs see it: libfaketime. */

import { assert, assertEquals } from "@std/assert";
import { freePort, type Named, startNamed } from "../../tools/named.ts";
import { findProgram } from "../../tools/setup.ts";
import { curl, run, Sftdyn, until, withFolder } from "./sftdyn.ts";

const KEY = "0123456789abcdef-secret";
const HOUR = 3600;
const YEAR = 365 * 24 * HOUR;

/** A clock that several processes share, and that can be set while they run. */
class Clock {
  readonly env: Record<string, string>;
  readonly #file: string;

  constructor(folder: string, library: string) {
    this.#file = `${folder}/clock`;
    this.env = {
      // named's jemalloc asks for the time before libfaketime is ready; libc's malloc does not.
      LD_PRELOAD: `${library} libc.so.6`,
      FAKETIME_TIMESTAMP_FILE: this.#file,
      FAKETIME_NO_CACHE: "1",
      // A clock that is set moves neither what counts from the boot nor the times of files.
      FAKETIME_DONT_FAKE_MONOTONIC: "1",
      NO_FAKE_STAT: "1",
    };
    this.set(0);
  }

  /** Sets it to so many seconds after the real time. */
  set(offset: number): void {
    // Renamed into place: no reader may find it empty.
    Deno.writeTextFileSync(`${this.#file}.new`, `${offset < 0 ? "" : "+"}${offset}\n`);
    Deno.renameSync(`${this.#file}.new`, this.#file);
  }
}

interface Machine {
  clock: Clock;
  named: Named;
  program: Sftdyn;
  port: number;
  /** Requests the update of a host from an address of 127.0.0.0/8. */
  update: (key: string, address: string) => Promise<string>;
}

interface MachineOptions {
  /** Of sftdyn.toml. */
  settings: string;
  /** Whose clock is set: BIND's alone, or that of sftdyn and its nsupdate too. */
  isShared: boolean;
}

async function withMachine(
  { settings, isShared }: MachineOptions,
  body: (machine: Machine) => Promise<void>,
): Promise<void> {
  await withFolder(async (folder) => {
    const { stdout } = await run(["faketime", "-m", "-f", "+0", "printenv", "LD_PRELOAD"]);
    const clock = new Clock(folder, stdout.trim());
    const named = await startNamed({ env: clock.env });
    try {
      const port = freePort();
      await Deno.writeTextFile(
        `${folder}/sftdyn.toml`,
        `http = "127.0.0.1:${port}"
nameserver = "127.0.0.1:${named.port}"
nskeyfile = "${named.keyFile}"
${settings}
[clients]
"${KEY}" = "host.dyn.example"
"other" = "other.dyn.example"
`,
      );
      const env = isShared
        ? { ...clock.env, PATH: `${await fakeNsupdate(folder, clock)}:${Deno.env.get("PATH")}` }
        : {};
      const program = await Sftdyn.start(["-v", `${folder}/sftdyn.toml`], { env });
      const update = (key: string, address: string) =>
        curl("--interface", address, `http://127.0.0.1:${port}/${key}`);
      try {
        await body({ clock, named, program, port, update });
      } finally {
        assertEquals(await program.stop(), 0);
        assert(!/^ +at /m.test(program.log()), `a stack trace: ${program.log()}`);
      }
    } finally {
      await named.stop();
    }
  });
}

/** A folder with an nsupdate that has this clock: sftdyn gives it no environment that would. */
async function fakeNsupdate(folder: string, clock: Clock): Promise<string> {
  const exports = Object.entries(clock.env).map(([name, value]) => `export ${name}='${value}'\n`);
  await Deno.mkdir(`${folder}/bin`);
  await Deno.writeTextFile(
    `${folder}/bin/nsupdate`,
    `#!/bin/sh\n${exports.join("")}exec '${await findProgram("nsupdate")}' "$@"\n`,
    { mode: 0o755 },
  );
  return `${folder}/bin`;
}

/** Sets a record past sftdyn, as an administrator would at this machine's clock. */
async function changeByHand({ clock, named }: Machine, record: string): Promise<void> {
  const [name] = record.split(" ");
  await withFolder(async (folder) => {
    await Deno.writeTextFile(
      `${folder}/script`,
      `server 127.0.0.1 ${named.port}\nupdate delete ${name} A\nupdate add ${record}\nsend\n`,
    );
    const { code, stderr } = await run(["nsupdate", "-k", named.keyFile, `${folder}/script`], {
      env: clock.env,
    });
    assertEquals(code, 0, stderr);
  });
}

/** Waits until a program's newest line is of a time so many seconds after the real one. */
async function logsTimeAt(offset: number, log: () => string): Promise<void> {
  await until(`a line of a time ${offset} s off`, () => {
    // sftdyn's are in ISO's form, BIND's in local time as 22-Nov-2026 23:00:34.123.
    const time = /^\S+Z|^\S+ [\d:.]+/.exec(log().trimEnd().split("\n").at(-1)!)?.[0] ?? "";
    return Math.abs((Date.parse(time) - Date.now()) / 1000 - offset) < HOUR / 2;
  });
}

const SHIFTS: [name: string, offset: number][] = [
  ["back an hour", -HOUR],
  ["forward a year", YEAR],
];

for (const [name, offset] of SHIFTS) {
  Deno.test(`the clock set ${name}: updates go on, also the one that waits`, async () => {
    const status = `127.0.0.1:${freePort()}`;
    const settings = `min_interval = 2\nrecheck = 1\nstatus = "${status}"`;
    await withMachine({ settings, isShared: true }, async (machine) => {
      const { clock, named, program, update } = machine;
      const started = performance.now();
      assertEquals(await update(KEY, "127.0.0.1"), "200 OK");
      const waiting = update(KEY, "127.0.0.2");
      await program.logged(/will be set to 127\.0\.0\.2\n/);
      clock.set(offset);
      assertEquals(await update("other", "127.0.0.1"), "200 OK");
      await logsTimeAt(offset, () => program.log());
      await logsTimeAt(offset, () => named.log());
      const report = JSON.parse((await curl(`http://${status}/hosts.json`)).slice("200 ".length));
      for (const before of [report.since, report.hosts.at(-1).last_call]) {
        const age = Date.parse(report.time) - Date.parse(before);
        assert(age >= 0 && age < 60_000, `${before} is shown at ${report.time}`);
      }
      assertEquals(await waiting, "200 OK");
      assert(performance.now() - started >= 2000, "min_interval went by the clock that was set");
      assertEquals(await named.dig("host.dyn.example", "A"), ["127.0.0.2"]);

      await changeByHand(machine, "other.dyn.example. 30 A 203.0.113.99");
      let answer = "";
      await until(
        "recheck is over",
        async () => (answer = await update("other", "127.0.0.1")) !== "200 UPTODATE",
      );
      assertEquals(answer, "200 OK");
      assertEquals(await curl(`http://127.0.0.1:${machine.port}/wrong`), "403 BADKEY");
      await program.logged(/unknown key/);
      clock.set(0);
      assertEquals(await update(KEY, "127.0.0.3"), "200 OK");
      assertEquals(await named.dig("host.dyn.example", "A"), ["127.0.0.3"]);
      assertEquals(program.count(/ error: /g), 0, program.log());
    });
  });
}

for (const offset of [-HOUR, HOUR]) {
  Deno.test(`BIND's clock is ${offset} s off: FAIL with BADTIME, and OK once the clocks agree`, async () => {
    const settings = "min_interval = 0";
    await withMachine({ settings, isShared: false }, async ({ clock, named, program, update }) => {
      assertEquals(await update(KEY, "127.0.0.1"), "200 OK");
      clock.set(offset);
      assertEquals(await update(KEY, "127.0.0.2"), "500 FAIL");
      await program.logged(
        / error: host\.dyn\.example A could not be set to 127\.0\.0\.2: BADTIME: the nameserver's clock and this machine's differ by minutes\n/,
      );
      assertEquals(await named.dig("host.dyn.example", "A"), ["127.0.0.1"]);
      clock.set(0);
      assertEquals(await update(KEY, "127.0.0.2"), "200 OK");
      assertEquals(await named.dig("host.dyn.example", "A"), ["127.0.0.2"]);
    });
  });
}
