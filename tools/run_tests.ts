/**
 * `deno task test [options and files of deno test]`: set-up, all tests, the
 * coverage of lib/, and the tests of the program once more on an executable.
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
  "status",
  "systemd",
];

/** Those that would take too long twice: the executable is what strangers meet. */
const ON_EXECUTABLE_ALONE = ["certificate", "hooks", "hostile", "proxies"];

const fileOf = (name: string) => `tests/e2e/${name}_test.ts`;

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
const isAll = Deno.args.length === 0;
const all = [
  "--coverage=coverage",
  "--coverage-raw-data-only",
  "--clean",
  `--ignore=${ON_EXECUTABLE_ALONE.map(fileOf)}`,
];
let code = await deno(["test", "-A", ...flags, ...isAll ? all : Deno.args], env);
if (code === 0 && isAll) {
  // deno.json has the thresholds.
  code = await deno(["coverage", "--quiet", "--include=/lib/", "coverage"], env);
}
if (code === 0 && isAll) {
  // The real thing, or where Deno's server cannot be reached one to test with.
  const build = ["run", "-A", "tools/build.ts"];
  code = await deno(build) && await deno([...build, "--test-runtime"]);
  if (code === 0) {
    const files = [...ON_EXECUTABLE, ...ON_EXECUTABLE_ALONE].map(fileOf);
    const program = { ...env, SFTDYN_TEST_PROGRAM: `${ROOT}/dist/sftdyn` };
    code = await deno(["test", "-A", ...flags, ...files], program);
  }
}
Deno.exit(code);
