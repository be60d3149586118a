/** The README, whose lines the tests run. */

import { assertEquals } from "@std/assert";
import { ROOT } from "../../tools/deno.ts";

export const README = await Deno.readTextFile(`${ROOT}/README.md`);

/** The block of the README that holds these words. */
export function block(words: string): string {
  const blocks = [...README.matchAll(/^```\w*\n(.*?)^```$/gms)].map((match) => match[1]!);
  const found = blocks.filter((text) => text.includes(words));
  assertEquals(found.length, 1, `README blocks with ${words}`);
  return found[0]!;
}
