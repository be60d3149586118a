import { assert, assertEquals } from "@std/assert";
import { A_DAY } from "../../lib/status/silence.ts";
import { tableLines } from "../../lib/status/table.ts";
import { ago, ATTIC, CABIN, CELLAR, HOME, host, OFFICE, REPORT } from "./sample.ts";

const limit = A_DAY;

Deno.test("tableLines() aligns what it has of each host, without the columns that say nothing", () => {
  assertEquals(tableLines({ ...REPORT, hosts: [ATTIC, HOME] }, { limit, width: 80 }), [
    "HOST               CALLED     ANSWER  CHANGED  FROM         A",
    "attic.dyn.example  not in 9d  -       -        -            -",
    "home.dyn.example   5m ago     OK      5m ago   203.0.113.7  203.0.113.7",
  ]);
  assertEquals(tableLines({ ...REPORT, hosts: [ATTIC] }, { limit }), [
    "HOST               CALLED",
    "attic.dyn.example  not in 9d",
  ]);
  assertEquals(tableLines({ ...REPORT, hosts: [] }, { limit }), [""]);
});

Deno.test("tableLines() gives the details lines of their own where there is no room", () => {
  const long = host(`${"a".repeat(60)}.dyn.example`, { answer: "BUSY" });
  const report = { ...REPORT, hosts: [CELLAR, CABIN, OFFICE, long] };
  const lines = tableLines(report, { limit, width: 80 });
  assertEquals(lines, [
    "HOST                                                CALLED     ANSWER    CHANGED",
    "cellar.dyn.example                                  not in 9d  -         -",
    "    A none  AAAA none",
    "cabin.dyn.example                                   3d ago     UPTODATE  5d ago",
    "    from 198.51.100.23  A 198.51.100.23  AAAA none",
    "office.dyn.example                                  30h ago    FAIL      -",
    "    from 2001:db8:1234:5678:abcd:ef01:2345:6789  A 203.0.113.80",
    "    AAAA 2001:db8:1234:5678:abcd:ef01:2345:6789",
    "    fault 30h ago: REFUSED: see named's log",
    `${"a".repeat(60)}.dyn.example`,
    "                                                    not in 9d  BUSY      -",
  ]);
  assert(lines.every((line) => line.length <= 80));
  assertEquals(tableLines(report, { limit }).length, 5);
});

Deno.test("tableLines() colours who is silent and what was not well answered", () => {
  const report = { ...REPORT, hosts: [OFFICE, HOME] };
  const lines = tableLines(report, { limit, hasColour: true });
  assert(lines[1]!.includes("  \x1b[33m30h ago\x1b[0m  \x1b[31mFAIL\x1b[0m    -"));
  assert(!lines[2]!.includes("\x1b"));
  // deno-lint-ignore no-control-regex
  const plain = lines.map((line) => line.replace(/\x1b\[\d+m/g, ""));
  assertEquals(plain, tableLines(report, { limit }));
});

Deno.test("tableLines() lets no control character through", () => {
  const report = {
    ...REPORT,
    hosts: [host("a.example", { last_fault: ago(1), fault: "\x1b]0;title\x07" })],
  };
  for (const width of [10, 80]) {
    const text = tableLines(report, { limit, width }).join("\n");
    assert(text.includes("1s ago: \\x1b]0;title\\x07"));
  }
});
