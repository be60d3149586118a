/**
 * `deno task test [options and files of deno test]`: set-up, all tests, the
 * coverage of lib/, and the tests of the program once more on an executable.
 * Files run several at a time, then those of `ALONE` one after the other.
 */

import { deno, ROOT, stdFlags } from "./deno.ts";
import { ensurePrograms, SetupError, TEST_PROGRAMS } from "./setup.ts";

/**
 * The tests that start sftdyn as a process, and so can start the executable, but
 * for those that its Deno and its permissions, which the source has too, make no difference to.
 */
const ON_EXECUTABLE = [
  "clock",
  "confined",
  "dyndns2",
  "engine",
  "executable",
  "faults",
  "front_door",
  "logging",
  "namespace",
  "protocol",
  "readme",
  "reload",
  "request_addresses",
  "systemd",
];

/** Those that would take too long twice: the executable is what strangers meet. */
const ON_EXECUTABLE_ALONE = ["certificate", "hooks", "hostile", "proxies"];

const fileOf = (name: string) => `tests/e2e/${name}_test.ts`;

/** The files that run with no other at the same time, and why. */
const ALONE: Record<string, string> = {
  "tests/dns/nsupdate_test.ts": "looks for every nsupdate that its process has started",
  "tests/e2e/clients_test.ts": "has 5 s for what is to be soon, and measures latency",
  "tests/e2e/clock_test.ts": "compares the log's times with the clock",
  "tests/e2e/door_test.ts": "has hosts answered before others, on a nameserver that is far",
  "tests/e2e/front_door_test.ts": "measures when connections are ended",
  "tests/e2e/hostile_test.ts": "loads the machine, and opens all connections that it can",
  "tests/e2e/reload_test.ts": "measures latency, and counts connections lost under load",
  "tests/e2e/silent_nameservers_test.ts": "has hosts answered before others fail after 2 s",
  "tests/package_test.ts": "changes the umask of its process",
  "tests/python/conf_test.ts": "compares short times",
};

/** Files at a time: they wait more than they work. */
const JOBS = "3";

try {
  await ensurePrograms(TEST_PROGRAMS);
} catch (error) {
  if (!(error instanceof SetupError)) throw error;
  console.error(error.message);
  Deno.exit(1);
}
const flags = await stdFlags();
// The tests run sftdyn itself, which has to find @std in the same way.
const env = { SFTDYN_TEST_FLAGS: JSON.stringify(flags), NO_COLOR: "1" };
if (Deno.args.length > 0) Deno.exit(await deno(["test", "-A", ...flags, ...Deno.args], env));

/** Runs tests, several files at a time. */
const together = (args: string[], program = {}) =>
  deno(["test", "-A", "--parallel", ...flags, ...args], { ...env, ...program, DENO_JOBS: JOBS });
/** Runs tests, one file after the other. */
const alone = (args: string[], program = {}) =>
  deno(["test", "-A", ...flags, ...args], { ...env, ...program });

const isAlone = (file: string) => Object.hasOwn(ALONE, file);
const onlyExecutable = ON_EXECUTABLE_ALONE.map(fileOf);
const coverage = ["--coverage=coverage", "--coverage-raw-data-only"];
const ignored = [...onlyExecutable, ...Object.keys(ALONE)];
const sourceAlone = Object.keys(ALONE).filter((file) => !onlyExecutable.includes(file));
let code = await together([...coverage, "--clean", `--ignore=${ignored}`]) ||
  await alone([...coverage, ...sourceAlone]) ||
  // deno.json has the thresholds.
  await deno(["coverage", "--quiet", "--include=/lib/", "coverage"], env);
if (code === 0) {
  // The real thing, or where Deno's server cannot be reached one to test with.
  const build = ["run", "-A", "tools/build.ts"];
  code = await deno(build) && await deno([...build, "--test-runtime"]);
}
if (code === 0) {
  const files = [...ON_EXECUTABLE.map(fileOf), ...onlyExecutable];
  const program = { SFTDYN_TEST_PROGRAM: `${ROOT}/dist/sftdyn` };
  code = await together(files.filter((file) => !isAlone(file)), program) ||
    await alone(files.filter(isAlone), program);
}
Deno.exit(code);
