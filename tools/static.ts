/** `deno task static`: the gate's half that runs nothing. */

import { deno, stdFlags } from "./deno.ts";

const flags = await stdFlags();
const steps = [
  ["fmt", "--check"],
  ["lint", "--quiet"],
  ["check", "--quiet", ...flags, "."],
];
for (const step of steps) {
  console.error(`deno ${step.filter((word) => !flags.includes(word)).join(" ")}`);
  const code = await deno(step);
  if (code !== 0) Deno.exit(code);
}
