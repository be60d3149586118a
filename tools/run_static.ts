/** `deno task static`: the gate's half that runs nothing. */

import { deno, stdFlags } from "./deno.ts";

const flags = await stdFlags();
const files = ["main.ts", "lib", "tests", "tools/*.ts", "tools/bench"];
// What stands in for JSR can be resolved only where it does.
if (flags.some((flag) => flag.includes("npm_std"))) files.push("tools/npm_std");
const steps = [
  ["fmt", "--check"],
  ["lint", "--quiet"],
  ["check", "--quiet", ...flags, ...files],
];
for (const step of steps) {
  console.error(`deno ${step.filter((word) => !flags.includes(word)).join(" ")}`);
  const code = await deno(step);
  if (code !== 0) Deno.exit(code);
}
