/** The README, whose lines the tests run. */

import { assertEquals } from "@std/assert";
import { ROOT } from "../../tools/deno.ts";

export const README = await Deno.readTextFile(`${ROOT}/README.md`);

/** What stands in fences on a page, such as the README. */
export function blocksOf(page: string): string[] {
  return [...page.matchAll(/^```\w*\n(.*?)^```$/gms)].map((match) => match[1]!);
}

/** The block of the README that holds these words. */
export function block(words: string): string {
  const found = blocksOf(README).filter((text) => text.includes(words));
  assertEquals(found.length, 1, `README blocks with ${words}`);
  return found[0]!;
}
