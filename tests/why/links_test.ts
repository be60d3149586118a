import { assertEquals } from "@std/assert";
import { Links } from "../../lib/why/links.ts";

Deno.test("Links name the first error, on a line however it is made", () => {
  const lines: string[] = [];
  const links = new Links((line) => lines.push(line));
  links.ok("a");
  links.warning("b");
  assertEquals(links.summary, "no link is broken");
  links.error("c\x1b[2J");
  links.error("d");
  assertEquals(links.summary, "the first broken link: c\\x1b[2J");
  assertEquals(lines, ["ok: a", "warning: b", "error: c\\x1b[2J", "error: d"]);
});
