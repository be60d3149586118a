import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { HookError, Hooks, HooksError } from "../../lib/hooks/hooks.ts";
import { parseHostname } from "../../lib/hostname.ts";
import { createLog } from "../../lib/log.ts";
import { withFolder } from "../e2e/sftdyn.ts";
import { until, within } from "../support.ts";

const KEY = "4bea92410b3146d0cfe";
const HOST = parseHostname("a.dyn.example");
/** Milliseconds: what is to be in time is, on a busy machine too. */
const LONG = 60_000;
/** What is late is late soon. */
const SHORT = 300;

interface Loaded {
  hooks: Hooks;
  lines: string[];
  folder: string;
  file: string;
}

interface Options {
  timeout?: number;
  maxWaiting?: number;
}

/** Loads a module of this text, with a log that is looked at. */
async function withHooks(
  text: string,
  body: (loaded: Loaded) => Promise<void>,
  options: Options = {},
): Promise<void> {
  await withFolder(async (folder) => {
    const file = `${folder}/my hooks %.js`;
    await Deno.writeTextFile(file, text);
    const lines: string[] = [];
    const log = createLog({
      write: (line) => lines.push(line.slice("2026-11-05T06:07:08.009Z ".length).trimEnd()),
    });
    const hooks = await Hooks.load({ file, timeout: LONG, loadTimeout: LONG, log, ...options });
    try {
      await body({ hooks, lines, folder, file });
    } finally {
      hooks.close();
    }
  });
}

/** The faults of a module of this text, without its folder. */
async function faultsOf(text: string, loadTimeout = LONG): Promise<string[]> {
  let faults: string[] = [];
  await withFolder(async (folder) => {
    const file = `${folder}/hooks.js`;
    await Deno.writeTextFile(file, text);
    const log = createLog({ write: () => {} });
    const loading = Hooks.load({ file, timeout: LONG, loadTimeout, log });
    const error = await assertRejects(() => within(loading, "loading"), HooksError);
    faults = error.faults.map((fault) => fault.replaceAll(`${folder}/`, ""));
  });
  return faults;
}

/** What a call came to: its value, or FAIL or BUSY. */
async function outcome(call: Promise<unknown>): Promise<unknown> {
  try {
    return await within(call, "the hook's outcome");
  } catch (error) {
    if (!(error instanceof HookError)) throw error;
    return error.result;
  }
}

Deno.test("hooks get what they are called with, and what they return is parsed", async () => {
  const text = `
    export async function getIp(sourceIp, headers, key) {
      if (!(headers instanceof Headers)) throw new Error("no Headers");
      if (key === "") return;
      return headers.get("x-ip") + sourceIp.slice(0, 0);
    }
    export function getHost(key, ip) {
      if (key === "none") return null;
      if (key === "empty") return [];
      if (key === "two") return ["B.dyn.example.", "a.dyn.example", "b.dyn.example"];
      return ip === "203.0.113.7" ? "a.dyn.example" : "c.dyn.example";
    }
    export const nsupdateCommands = async (host, ip, headers) =>
      headers.has("x-none") ? undefined : [\`update add \${host} 60 A \${ip}\`];
  `;
  await withHooks(text, async ({ hooks, lines }) => {
    assertEquals(hooks.names, ["getIp", "getHost", "nsupdateCommands"]);
    const headers = [["X-Ip", "::ffff:198.51.100.4"]] as const;
    assertEquals((await hooks.getIp("203.0.113.7", headers, KEY))?.text, "198.51.100.4");
    assertEquals(await hooks.getIp("203.0.113.7", headers, ""), undefined);
    assertEquals<string[] | undefined>(await hooks.getHost(KEY, "203.0.113.7"), ["a.dyn.example"]);
    assertEquals<string[] | undefined>(await hooks.getHost("two", "x"), [
      "b.dyn.example",
      "a.dyn.example",
    ]);
    assertEquals(await hooks.getHost("none", "203.0.113.7"), undefined);
    assertEquals(await hooks.getHost("empty", "203.0.113.7"), undefined);
    assertEquals(await hooks.nsupdateCommands(HOST, "203.0.113.7", [], KEY), [
      "update add a.dyn.example 60 A 203.0.113.7",
    ]);
    assertEquals(
      await hooks.nsupdateCommands(HOST, "203.0.113.7", [["x-none", "1"]], KEY),
      undefined,
    );
    assertEquals(lines, []);
  });
});

Deno.test("a hook that is not there is built in", async () => {
  await withHooks("export function getHost() {}", async ({ hooks }) => {
    assertEquals([hooks.has("getIp"), hooks.has("getHost")], [false, true]);
    assertEquals(await hooks.getIp("203.0.113.7", [], ""), undefined);
    assertEquals(await hooks.nsupdateCommands(HOST, "203.0.113.7", [], KEY), undefined);
  });
});

Deno.test("a hook that fails is FAIL and one line with its place, and the next call is answered", async () => {
  const table: [body: string, said: string][] = [
    ['throw new TypeError("boo")', "line 2, column 7: getHost: TypeError: boo"],
    ['throw "boo"', 'getHost: it threw "boo"'],
    ["throw undefined", "getHost: it threw undefined"],
    ["throw null", "getHost: it threw null"],
    ["throw { get message() { throw 1 } }", "getHost: it threw an object"],
    [
      "throw Object.defineProperty(new Error(), 'stack', { get() { throw 1 } })",
      "getHost: it threw what cannot be shown",
    ],
    [
      'const e = new Error("x"); Object.defineProperty(e, "message", { get() { throw 1 } }); throw e',
      "getHost: it threw what cannot be shown",
    ],
    ['throw new Error("one\\ntwo")', "line 2, column 7: getHost: Error: one"],
    ['return Promise.reject(new Error("later"))', "line 2, column 23: getHost: Error: later"],
    ["return nothing.there", "line 2, column 1: getHost: ReferenceError: nothing is not defined"],
    ["return 7", "getHost: TypeError: it returned a number: expected a string, strings or nothing"],
    [
      "return {}",
      "getHost: TypeError: it returned an object: expected a string, strings or nothing",
    ],
    [
      "return () => 1",
      "getHost: TypeError: it returned a function: expected a string, strings or nothing",
    ],
    ["return [1]", "getHost: TypeError: it returned a list with a number in it: expected strings"],
    [
      "return [['a.dyn.example']]",
      "getHost: TypeError: it returned a list with a list in it: expected strings",
    ],
    [
      "return Object.defineProperty([], 0, { get() { throw new Error('getter') } })",
      "line 2, column 53: getHost: Error: getter",
    ],
    [
      "return { get then() { throw new Error('then') } }",
      "line 2, column 29: getHost: Error: then",
    ],
    [
      "return Array(1e6).fill('a.dyn.example')",
      "getHost: RangeError: it returned 1000000 strings: expected at most 64",
    ],
    [
      "return 'x'.repeat(1e7)",
      "getHost: RangeError: it returned a string of 10000000 characters: expected at most 4096",
    ],
    [
      "return 'home'",
      'getHost: not a host name: write it with its zone, such as "host.dyn.example"',
    ],
    [
      "return 'a.dyn.example\\nsend'",
      "getHost: not a host name: its labels may hold letters, digits, inner hyphens and an underscore at the start",
    ],
    ["Deno.exit(0)", "getHost: Error: a hook cannot end sftdyn"],
    ["process.exit(0)", "getHost: Error: a hook cannot end sftdyn"],
    ["new Worker('data:,')", "line 2, column 1: getHost: ReferenceError: Worker is not defined"],
    [
      "Deno.permissions.revokeSync({ name: 'net' })",
      "line 2, column 18: getHost: TypeError: Cannot read properties of undefined (reading 'revokeSync')",
    ],
    ["self.close()", "getHost: Error: a hook cannot end sftdyn"],
  ];
  // To start a thread takes a while, and of more lines in a second some are only counted.
  for (let first = 0; first < table.length; first += 9) {
    const rows = table.slice(first, first + 9);
    const text = 'const rows = []; export const getHost = (key, ip) => ip === "" ? ' +
      '"a.dyn.example" : rows[ip]();\n' +
      rows.map(([body]) => `rows.push(() => {\n${body}\n});\n`).join("");
    await withHooks(text, async ({ hooks, lines, file }) => {
      for (const [i, [body, said]] of rows.entries()) {
        assertEquals(await outcome(hooks.getHost(KEY, `${i}`)), "FAIL", body);
        assertEquals(
          lines.at(-1)!.replace(/ line \d+, column \d+:(?= getHost: Error: a hook)/, ""),
          `error: ${file}: ${said.replace("line 2", `line ${3 + 3 * i}`)}`,
          body,
        );
        assertEquals(lines.length, i + 1, body);
        assertEquals(await outcome(hooks.getHost(KEY, "")), ["a.dyn.example"], body);
      }
    });
  }
});

Deno.test("getIp is FAIL where it returns no address that can be used", async () => {
  const text = "export function getIp(ip, headers) { return headers.get('ip').split(',') }";
  await withHooks(text, async ({ hooks }) => {
    assertEquals(await outcome(hooks.getIp("203.0.113.7", [["ip", "a"]], "")), "FAIL");
  });
  await withHooks(text.replace(".split(',')", ""), async ({ hooks, lines }) => {
    for (const ip of ["", "1.2.3", "a.dyn.example", "0.0.0.0", "fe80::1", "2001:db8::1%eth0"]) {
      assertEquals(await outcome(hooks.getIp("203.0.113.7", [["ip", ip]], "")), "FAIL", ip);
    }
    assertMatch(lines[0]!, /: getIp: it returned no address: expected one like "203.0.113.7"/);
    assertMatch(lines[4]!, /: getIp: its address cannot be used \(link-local\)$/);
  });
});

Deno.test("no line has a key in it, however a hook tells it", async () => {
  const text = `
    export function getHost(key) {
      console.log("asked for", key);
      console.error({ key });
      setTimeout(() => { throw new Error(key) });
      Promise.reject(new Error(key));
      throw new Error("no host has " + encodeURIComponent(decodeURIComponent(key)));
    }`;
  for (const key of [KEY, "abc", "?user=h%c3%a4ns&pass=geheimnis%21", `k${KEY}`.repeat(50)]) {
    await withHooks(text, async ({ hooks, lines }) => {
      assertEquals(await outcome(hooks.getHost(key, "203.0.113.7")), "FAIL");
      await until("all lines", () => lines.length >= 5);
      for (const line of lines) {
        for (const part of [key, decodeURIComponent(key), "geheimnis", KEY]) {
          assert(!line.includes(part), line);
        }
      }
      assertEquals(
        lines.filter((line) => line.includes("an error whose message has a part of the key"))
          .length,
        1,
        lines.join("\n"),
      );
    });
  }
});

Deno.test("what is thrown where nobody waits is a line, and calls go on", async () => {
  const text = `
    export function getHost(key) {
      if (key === "timer") setTimeout(() => { throw new Error("a") });
      if (key === "promise") Promise.reject(new Error("b"));
      if (key === "undefined") Promise.reject();
      return "a.dyn.example";
    }`;
  await withHooks(text, async ({ hooks, lines, file }) => {
    for (const key of ["timer", "promise", "undefined"]) {
      assertEquals(await outcome(hooks.getHost(key, "203.0.113.7")), ["a.dyn.example"]);
    }
    await until("the lines", () => lines.length >= 3);
    assertEquals(lines.toSorted(), [
      `error: ${file}: an error that nothing in it caught`,
      `error: ${file}: line 3, column 53: an error that nothing in it caught`,
      `error: ${file}: line 4, column 45: an error that nothing in it caught`,
    ]);
    assertEquals(await outcome(hooks.getHost("x", "203.0.113.7")), ["a.dyn.example"]);
  });
});

Deno.test("what a hook prints is in the log, but not much of it", async () => {
  const text = `
    console.info("loaded", { a: 1 });
    export function getHost(key) {
      for (let i = 0; i < 100_000; i++) console.log("x".repeat(10_000) + "\\n" + i);
      return "a.dyn.example";
    }`;
  await withHooks(text, async ({ hooks, lines, file }) => {
    assertEquals(lines, [`info: ${file} printed: loaded { a: 1 }`]);
    assertEquals(await outcome(hooks.getHost("x", "203.0.113.7")), ["a.dyn.example"]);
    assert(lines.length <= 20, `${lines.length} lines`);
    assert(lines.every((line) => line.length < 1200));
  });
});

Deno.test("a call that takes too long is FAIL, and the others are answered", async () => {
  const text = `
    export function getHost(key) {
      return key === "slow" ? new Promise(() => {}) : "a.dyn.example";
    }`;
  await withHooks(text, async ({ hooks, lines, file }) => {
    const slow = outcome(hooks.getHost("slow", "203.0.113.7"));
    assertEquals(await outcome(hooks.getHost("x", "203.0.113.7")), ["a.dyn.example"]);
    assertEquals(await slow, "FAIL");
    assertEquals(lines, [`error: ${file}: getHost: it took longer than 3 s`]);
    assertEquals(await outcome(hooks.getHost("x", "203.0.113.7")), ["a.dyn.example"]);
  }, { timeout: 3000 });
});

Deno.test("an endless loop is FAIL, and what waits behind it is answered by a new thread", async () => {
  const text = `
    let calls = 0;
    export function getHost(key) {
      calls++;
      if (key === "loop") for (;;);
      if (key === "slow") return new Promise(() => {});
      return \`n\${calls}.dyn.example\`;
    }`;
  await withHooks(text, async ({ hooks, lines, file }) => {
    assertEquals(await outcome(hooks.getHost("x", "203.0.113.7")), ["n1.dyn.example"]);
    const slow = outcome(hooks.getHost("slow", "203.0.113.7"));
    const loop = outcome(hooks.getHost("loop", "203.0.113.7"));
    const started = performance.now();
    // Comes when the loop's time is nearly over, and has as long again.
    await until("a while", () => performance.now() - started > 4000);
    const behind = outcome(hooks.getHost("x", "203.0.113.7"));
    assertEquals([await slow, await loop], ["FAIL", "FAIL"]);
    assertEquals(await behind, ["n1.dyn.example"]);
    assertEquals(lines, [
      `error: ${file}: getHost: it took longer than 5 s`,
      `error: ${file}: getHost: it took longer than 5 s`,
      `warning: ${file}: started anew: a hook did not return`,
    ]);
  }, { timeout: 5000 });
});

Deno.test("so many calls wait, and the next are BUSY", async () => {
  const text = "export const getHost = (key) => key === 'x' ? [] : new Promise(() => {});";
  await withHooks(text, async ({ hooks, lines, file }) => {
    const calls = Array.from({ length: 5 }, () => outcome(hooks.getHost("slow", "203.0.113.7")));
    assertEquals(await Promise.all(calls.slice(3)), ["BUSY", "BUSY"]);
    assertEquals(lines[0], `error: ${file}: getHost: too many requests wait for the hooks`);
    hooks.close();
    assertEquals(await Promise.all(calls.slice(0, 3)), ["FAIL", "FAIL", "FAIL"]);
  }, { maxWaiting: 3 });
});

Deno.test("with a hundred calls that were given up, the thread is started anew", async () => {
  const text = "export const getHost = (key) => key === 'x' ? [] : new Promise(() => {});";
  await withHooks(text, async ({ hooks, lines }) => {
    const calls = Array.from({ length: 102 }, () => outcome(hooks.getHost("s", "203.0.113.7")));
    assertEquals(new Set(await Promise.all(calls)), new Set(["FAIL"]));
    await until("a new thread", () => lines.some((line) => line.includes("started anew")));
    assertMatch(
      lines.find((line) => line.startsWith("warning"))!,
      /too many calls were not answered$/,
    );
    await until("it goes on", async () => await outcome(hooks.getHost("x", "1.2.3.4")) !== "FAIL");
  }, { timeout: SHORT });
});

Deno.test("load() names each fault, with its place", async () => {
  const table: [text: string, said: string | RegExp][] = [
    [
      "export function getHost(key) {\n  return key +;\n}",
      /^hooks\.js: line 2, column 15: SyntaxError: /,
    ],
    [
      "let a = 1;\nnothing.there();",
      "hooks.js: line 2, column 1: ReferenceError: nothing is not defined",
    ],
    ['import { x } from "./nothere.js";', /^hooks\.js:.* Module not found.*nothere\.js/],
    ["", "hooks.js: it exports nothing: expected one of getIp, getHost, nsupdateCommands"],
    ["export function getHosts() {}", 'hooks.js: "getHosts" is no hook, did you mean "getHost"?'],
    ["export function get_ip() {}", 'hooks.js: "get_ip" is no hook, did you mean "getIp"?'],
    [
      "export const nsupdatecommands = () => {};",
      'hooks.js: "nsupdatecommands" is no hook, did you mean "nsupdateCommands"?',
    ],
    [
      "export default 1;",
      'hooks.js: "default" is no hook: expected one of getIp, getHost, nsupdateCommands',
    ],
    ["export const getHost = {};", 'hooks.js: "getHost" is no function, but of type object'],
    ["throw 1", "hooks.js: it threw a number"],
    ["Deno.exit(0)", "hooks.js: line 1, column 6: Error: a hook cannot end sftdyn"],
  ];
  // At once: with coverage, Deno takes a second to end a thread.
  const found = await Promise.all(table.map(([text]) => faultsOf(text)));
  for (const [i, [text, said]] of table.entries()) {
    const faults = found[i]!;
    assertEquals(faults.length, 1, text);
    if (typeof said === "string") assertEquals(faults[0], said);
    else assertMatch(faults[0]!, said);
  }
  assertEquals((await faultsOf("export const getHosts = 1, getIp = 2;")).length, 2);
});

Deno.test("load() does not wait for ever", async () => {
  for (const text of ["await new Promise(() => {});", "for (;;);"]) {
    assertEquals(await faultsOf(text, 1000), ["hooks.js: it could not be loaded in 1 s"]);
  }
});

Deno.test("load() of a changed module has what it imports anew", async () => {
  await withHooks(
    'export { getHost } from "./inner.js";'.replace(/.*/, "export const getHost = () => [];"),
    async ({ folder }) => {
      const file = `${folder}/outer.js`;
      const log = createLog({ write: () => {} });
      await Deno.writeTextFile(file, 'export { getHost } from "./inner.js";');
      for (const name of ["a.dyn.example", "b.dyn.example"]) {
        await Deno.writeTextFile(`${folder}/inner.js`, `export const getHost = () => "${name}";`);
        const hooks = await Hooks.load({ file, timeout: LONG, log });
        assertEquals(await outcome(hooks.getHost("x", "203.0.113.7")), [name]);
        hooks.close();
      }
    },
  );
});

Deno.test("retire() lets what is called be answered, and what is called after it too", async () => {
  const text = `
    export const getHost = async (key) => {
      await new Promise((resolve) => setTimeout(resolve, 50));
      return "a.dyn.example";
    };`;
  await withHooks(text, async ({ hooks }) => {
    const before = outcome(hooks.getHost("x", "203.0.113.7"));
    hooks.retire();
    assertEquals(await before, ["a.dyn.example"]);
    assertEquals(await outcome(hooks.getHost("x", "203.0.113.7")), ["a.dyn.example"]);
  });
});

Deno.test("a module that is broken when it is started anew is FAIL, until it is mended", async () => {
  const good = "export const getHost = (key) => { if (key === 'loop') for (;;); return []; };";
  await withHooks(good, async ({ hooks, lines, file }) => {
    await Deno.writeTextFile(file, "export const getHost = ;");
    assertEquals(await outcome(hooks.getHost("loop", "203.0.113.7")), "FAIL");
    await until("a new thread", () => lines.some((line) => line.includes("started anew")));
    await until("a failure", async () => await outcome(hooks.getHost("x", "1.2.3.4")) === "FAIL");
    assertMatch(lines.at(-1)!, /line 1, column 2\d: getHost: .*SyntaxError/);
    await Deno.writeTextFile(file, good);
    await until("it goes on", async () => await outcome(hooks.getHost("x", "1.2.3.4")) !== "FAIL");
  }, { timeout: 3000 });
});
