import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { pageOf } from "../../lib/status/page.ts";
import { ago, DAY, host, HOUR, REPORT } from "./sample.ts";

const EMPTY = ["meta", "link", "wbr"];

/** The text of a page in the order of its elements, a line for each that has one; tags must match. */
function linesOf(page: string): string[] {
  const open: string[] = [];
  const lines = [""];
  for (const [, close, name, text] of page.matchAll(/<(\/?)!?([a-zA-Z0-9]+)[^<>]*>([^<>]*)/g)) {
    if (name !== "wbr") lines.push("");
    if (name === "DOCTYPE" || EMPTY.includes(name!)) assertEquals(close, "");
    else if (close === "") open.push(name!);
    else assertEquals(open.pop(), name);
    if (open.at(-1) !== "style") lines.push(lines.pop() + text!);
  }
  assertEquals(open, []);
  return lines.map((line) => unescaped(line).replaceAll(/\s+/g, " ").trim()).filter((line) => line);
}

function unescaped(text: string): string {
  return text.replaceAll(/&#(\d+);/g, (_, code) => String.fromCharCode(Number(code)));
}

Deno.test("pageOf() tells of all hosts, who has been silent longest first", () => {
  const lines = linesOf(pageOf(REPORT));
  const start = lines.indexOf("Who calls in");
  assertEquals(lines.slice(0, start), ["4 of 5 hosts silent · sftdyn"]);
  assertEquals(lines.slice(start, lines.findIndex((line) => line.startsWith("Times of calls"))), [
    ...["Who calls in", "as of", "2026-11-28 14:32:07 UTC", "load again"],
    ...["5", "hosts", "4", "not called for a day"],
    ...["9 days", "on record, since", "2026-11-19 14:32:07 UTC"],
    "No faults.",
    "Who has been silent longest comes first.",
    ...["Host", "Addresses", "Last call", "Answer", "Last change", "Last fault"],
    ...["attic.dyn.example", "not known", "not since", "2026-11-19 14:32:07 UTC", "–", "–", "–"],
    ...["cellar.dyn.example", "A", "none", "AAAA", "none", "not since", "2026-11-19 14:32:07 UTC"],
    ...["–", "–", "–"],
    ...["cabin.dyn.example", "A", "198.51.100.23", "3 days ago", "from 198.51.100.23"],
    ...["UPTODATE", "5 days ago", "–"],
    ...["office.dyn.example", "A", "203.0.113.80"],
    ...["AAAA", "2001:db8:1234:5678:abcd:ef01:2345:6789", "30 hours ago"],
    ...["from 2001:db8:1234:5678:abcd:ef01:2345:6789", "FAIL", "–"],
    ...["30 hours ago", "REFUSED: see named's log"],
    ...["home.dyn.example", "A", "203.0.113.7", "5 minutes ago", "from 203.0.113.7"],
    ...["OK", "5 minutes ago", "–"],
  ]);
  assertStringIncludes(lines.join("\n"), "sftdyn 1.2.0. For programs:\nhosts.json\n");
});

Deno.test("pageOf() has the exact time with every one in words", () => {
  const page = pageOf(REPORT);
  assertStringIncludes(
    page,
    '<time datetime="2026-11-25T14:32:07.123Z" title="2026-11-25 14:32:07 UTC">3 days ago</time>',
  );
  assertEquals(
    page.match(/ ago</g)?.length,
    page.match(/<time [^>]*title=[^>]*>[^<]* ago</g)?.length,
  );
});

Deno.test("pageOf() marks who is silent, and what was not well answered", () => {
  const page = pageOf(REPORT);
  const silent = [...page.matchAll(/<tr class="silent"><th scope="row">([^<]*)/g)];
  assertEquals(silent.map(([, name]) => name!.split(".")[0]), [
    "attic",
    "cellar",
    "cabin",
    "office",
  ]);
  assertEquals([...page.matchAll(/class="bad">(\w+)/g)].map(([, answer]) => answer), ["FAIL"]);
});

Deno.test("pageOf() takes nobody for silent soon after a start", () => {
  const lines = linesOf(pageOf({ ...REPORT, since: ago(5 * HOUR) }));
  assertStringIncludes(
    lines.join("\n"),
    "5\nhosts\n2\nnot called for a day\n2\nnot called yet: too early to tell\n" +
      "5 hours\non record, since\n2026-11-28 09:32:07 UTC",
  );
});

Deno.test("pageOf() tells of the faults first", () => {
  const lines = linesOf(pageOf({ ...REPORT, faults: ["nameserver: no answer", "reload: line 3"] }));
  assertEquals(lines[0], "2 faults · 4 of 5 hosts silent · sftdyn");
  const at = lines.indexOf("2 faults");
  assertEquals(lines.slice(at, at + 3), ["2 faults", "nameserver: no answer", "reload: line 3"]);
  assert(at < lines.indexOf("attic.dyn.example"));
});

Deno.test("pageOf() lets nothing from outside be HTML", () => {
  const odd = `"><script>alert('x')</script>&lt;`;
  const text = odd as never;
  const page = pageOf({
    version: odd,
    time: ago(0),
    since: ago(DAY),
    faults: [odd],
    hosts: [
      host(odd, { a: odd, aaaa: odd, from: odd, last_call: ago(0), answer: text }),
      host("b.example", { last_fault: ago(0), fault: odd }),
    ],
    hosts_left_out: 0,
  });
  assert(!/<script|alert\('/i.test(page));
  const lines = linesOf(page);
  assertEquals(lines.filter((line) => line.includes(odd)).length, 8);
});

Deno.test("pageOf() needs no script and nothing from elsewhere", () => {
  const page = pageOf(REPORT);
  assert(!/<script|\bon\w+=|https?:|\/\/|@import|url\(/i.test(page));
  assertEquals(
    [...page.matchAll(/(?:href|src)="([^"]*)"/g)].map(([, target]) => target),
    ["", "hosts.json", "metrics", "health"],
  );
});

Deno.test("pageOf() says how many hosts the report leaves out", () => {
  const lines = linesOf(
    pageOf({ ...REPORT, hosts: REPORT.hosts.slice(0, 4), hosts_left_out: 1000 }),
  );
  assertEquals(lines[0], "4+ of 1004 hosts silent · sftdyn");
  const text = lines.join("\n");
  assertStringIncludes(text, "\n1004\nhosts\n4+\nnot called for a day\n");
  assertStringIncludes(text, "\n1000 more hosts called later than these: see\nhosts.json\n");
});

Deno.test("pageOf() says that there are no hosts, and counts one", () => {
  const none = linesOf(pageOf({ ...REPORT, hosts: [] }));
  assert(none.includes("There are no hosts.") && !none.includes("Addresses"));
  assertEquals(none[0], "0 of 0 hosts silent · sftdyn");
  const one = linesOf(pageOf({ ...REPORT, hosts: [host("a.example")] }));
  assertEquals(one[0], "1 of 1 host silent · sftdyn");
  assertStringIncludes(one.join("\n"), "1\nhost\n1\nnot called for a day\n");
});
