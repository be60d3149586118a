/** `deno task test [options and files of deno test]`: set-up, all tests, and the coverage of lib/. */

import { deno, stdFlags } from "./deno.ts";
import { ensurePrograms, SetupError, TEST_PROGRAMS } from "./setup.ts";

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
const coverage = isAll ? ["--coverage=coverage", "--coverage-raw-data-only", "--clean"] : [];
let code = await deno(["test", "-A", ...flags, ...coverage, ...Deno.args], env);
if (code === 0 && isAll) {
  // deno.json has the thresholds.
  code = await deno(["coverage", "--quiet", "--include=/lib/", "coverage"], env);
}
Deno.exit(code);
