/** The status page in a real browser. Its package is large: with SFTDYN_BROWSER=full. */

import { assert, assertEquals } from "@std/assert";
import { pageOf } from "../../lib/status/page.ts";
import { ensurePrograms } from "../../tools/setup.ts";
import { ago, DAY, host, HOUR, REPORT } from "../status/sample.ts";
import { Browser } from "./browser.ts";
import { withFolder } from "./sftdyn.ts";

const isAsked = Deno.env.get("SFTDYN_BROWSER") === "full";
if (isAsked) await ensurePrograms(["chromium"]);
else console.log("NOT TESTED: the status page in a browser (needs SFTDYN_BROWSER=full)");

/** What is used of a browser's own. */
interface Element {
  readonly tagName: string;
  readonly textContent: string;
  readonly innerText: string;
  readonly scrollWidth: number;
  readonly clientWidth: number;
  closest(selector: string): Element | null;
  getBoundingClientRect(): { readonly right: number };
}
declare const document: {
  readonly title: string;
  readonly body: Element;
  readonly documentElement: Element;
  querySelectorAll(selector: string): Iterable<Element>;
};
declare const innerWidth: number;
declare const getComputedStyle: (
  element: Element,
) => Record<"backgroundColor" | "color" | "display", string>;

/** With what sftdyn serves it. */
const HEADERS = {
  "content-type": "text/html;charset=UTF-8",
  "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'",
};
const LONG = "x".repeat(63);
/** All that can be wide, and all that has a colour. */
const WIDE = {
  ...REPORT,
  since: ago(5 * HOUR),
  faults: [`nameserver: ${LONG}${LONG}`],
  hosts: [
    ...REPORT.hosts,
    host(`${LONG}.${LONG}.${LONG}.${"y".repeat(49)}.example`, {
      aaaa: "2001:db8:aaaa:aaaa:aaaa:aaaa:aaaa:aaaa",
      last_call: ago(DAY),
      from: "a client behind 2001:db8:aaaa:aaaa:aaaa:aaaa:aaaa:aaaa",
      answer: "BADIP",
      last_fault: ago(DAY),
      fault: `<script>document.title = "${LONG}${LONG}"</script>`,
    }),
  ],
};

Deno.test({
  name: "the status page is readable at every width, in light and dark, by eyes and by ears",
  ignore: !isAsked,
  fn: () =>
    withFolder(async (folder) => {
      const requested: string[] = [];
      let report = REPORT;
      const options = { hostname: "127.0.0.1", port: 0, onListen: () => {} };
      await using server = Deno.serve(options, ({ url }) => {
        requested.push(new URL(url).pathname);
        return new Response(pageOf(report), { headers: HEADERS });
      });
      const url = `http://127.0.0.1:${server.addr.port}/`;
      await Browser.run(folder, async (browser) => {
        for (report of [REPORT, WIDE]) {
          for (const width of [320, 390, 768, 1100, 1280]) {
            for (const scheme of ["light", "dark"] as const) {
              const what = `${report.hosts.length} hosts, ${width} pixels, ${scheme}`;
              await browser.open(url, { width, scheme });
              assertEquals([what, ...await browser.evaluate(overflowing)], [what]);
              assertEquals([what, ...await browser.evaluate(hardToRead)], [what]);
              const isDark = await browser.evaluate(() =>
                /^rgb\(\d\d,/.test(getComputedStyle(document.body).backgroundColor)
              );
              assertEquals([what, isDark], [what, scheme === "dark"]);
              const names = await browser.evaluate(() =>
                Array.from(document.querySelectorAll("tbody th"), ({ innerText }) => innerText)
              );
              assertEquals(names, report.hosts.map(({ host }): string => host));
            }
            const { nodes } = await browser.call("Accessibility.getFullAXTree");
            const roles = (name: string) =>
              nodes.filter(({ role }: { role?: { value: string } }) => role?.value === name).length;
            assertEquals([width, roles("table"), roles("columnheader"), roles("rowheader")], [
              width,
              1,
              6,
              report.hosts.length,
            ]);
          }
        }
        assert(!(await browser.evaluate(() => document.title)).includes("x"));
        assertEquals(browser.complaints, []);
      });
      assertEquals(new Set(requested.filter((path) => path !== "/favicon.ico")), new Set(["/"]));
    }),
});

/** What is wider than the page, or than its own box. */
function overflowing(): string[] {
  const all = [document.documentElement, ...document.querySelectorAll("body, body *")];
  return all.filter((element) =>
    element.closest("thead") === null &&
    (element.getBoundingClientRect().right > innerWidth ||
      getComputedStyle(element).display !== "inline" && element.scrollWidth > element.clientWidth)
  ).map((element) => `${element.tagName} ${element.textContent.slice(0, 40)}`);
}

/** Texts whose colour is too near the background's (WCAG 2.2, 1.4.3). */
function hardToRead(): string[] {
  const light = (colour: string) => {
    const [red, green, blue] = colour.match(/\d+/g)!.map((text) => {
      const part = Number(text) / 255;
      return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * red! + 0.7152 * green! + 0.0722 * blue! + 0.05;
  };
  const paper = light(getComputedStyle(document.body).backgroundColor);
  return Array.from(document.querySelectorAll("body *"), (element) => {
    const ink = light(getComputedStyle(element).color);
    const contrast = Math.max(ink, paper) / Math.min(ink, paper);
    return contrast >= 4.5 ? "" : `${element.tagName} ${contrast}`;
  }).filter((text) => text !== "");
}
