import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { parseAddress } from "../../lib/address.ts";
import { parseHostname } from "../../lib/hostname.ts";
import { createLog } from "../../lib/log.ts";
import {
  type Change,
  createNsupdate,
  type Nsupdate,
  type NsupdateOptions,
  type NsupdateProcess,
  nsupdateVersion,
  type Outcome,
} from "../../lib/dns/nsupdate.ts";
import { createUpdater } from "../../lib/dns/updater.ts";
import { type Named, startNamed } from "../../tools/named.ts";

const SERVER = { hostname: "192.0.2.53", port: 5353 };
const DONE: Outcome = { kind: "done" };

function change(name: string, address: string, ttl = 30): Change {
  const type = address.includes(":") ? "AAAA" : "A";
  return { name: parseHostname(name), type, ttl, address };
}

const CHANGES = [change("a.dyn.example", "192.0.2.1")];

/** What a process says or does when an UPDATE reaches it. */
type Act = (process: FakeProcess) => void;

/** Speaks as `nsupdate -d` of BIND 9.18 does. */
class FakeProcess {
  input = "";
  hasEnded = false;
  signals: (Deno.Signal | undefined)[] = [];
  isInputClosed = false;
  readonly stdin: WritableStream<Uint8Array>;
  readonly stderr: ReadableStream<Uint8Array>;
  readonly status: Promise<Deno.CommandStatus>;
  #stderr!: ReadableStreamDefaultController<Uint8Array>;
  #ended = Promise.withResolvers<Deno.CommandStatus>();

  constructor(readonly args: string[], act: () => Act, { endsWithInput = true } = {}) {
    this.status = this.#ended.promise;
    this.stderr = new ReadableStream({ start: (controller) => void (this.#stderr = controller) });
    this.stdin = new WritableStream({
      write: (bytes) => {
        if (this.hasEnded) throw new Deno.errors.BrokenPipe("Broken pipe (os error 32)");
        const text = new TextDecoder().decode(bytes);
        this.input += text;
        for (const _ of text.matchAll(/^send$/mg)) act()(this);
      },
      close: () => {
        this.isInputClosed = true;
        if (endsWithInput) this.end(0);
      },
    });
    this.say("Creating key...\nCreating key...\nnamefromtext\nkeycreate\n");
  }

  say(said: string | Uint8Array): void {
    if (this.hasEnded) return;
    this.#stderr.enqueue(typeof said === "string" ? new TextEncoder().encode(said) : said);
  }

  end(code: number, signal: Deno.Signal | null = null): void {
    if (this.hasEnded) return;
    this.hasEnded = true;
    this.#stderr.close();
    this.#ended.resolve({ success: code === 0, code, signal });
  }

  kill(signal?: Deno.Signal): void {
    if (this.hasEnded) throw new TypeError("Child process has already terminated");
    this.signals.push(signal);
    this.end(137, signal ?? "SIGTERM");
  }
}

const SENDING = "Sending update to 192.0.2.53#5353\n";

function reply(rcode: string, tsig = "xiUxKDe9fJrBDVqTgQwA3mzgaaber= 63800 NOERROR 0"): string {
  return `
Reply from update query:
;; ->>HEADER<<- opcode: UPDATE, status: ${rcode}, id:  63800
;; flags: qr; ZONE: 1, PREREQ: 0, UPDATE: 0, ADDITIONAL: 1
;; ZONE SECTION:
;dyn.example.\t\t\tIN\tSOA

;; TSIG PSEUDOSECTION:
local-ddns.\t\t0\tANY\tTSIG\thmac-sha256. 1795382780 300 32 ${tsig} 

`;
}

function tsigError(error: string): string {
  return `; TSIG error with server: tsig indicates error\n${reply("NOTAUTH", `63800 ${error} 0`)}`;
}

const UNVERIFIED = `; TSIG error with server: expected a TSIG or SIG(0)
${reply("NOERROR").replace(/;; TSIG P.*\n.*\n/, "")}`;

const says = (said: string): Act => (process) => process.say(SENDING + said);
const ends = (said: string, code = 1, signal: Deno.Signal | null = null): Act => (process) => {
  process.say(said);
  process.end(code, signal);
};
const isSilent: Act = () => {};
const done = says(reply("NOERROR"));

/** An nsupdate of fakes; each UPDATE that reaches one of them takes the next act. */
function fake(acts: Act[], options: Partial<NsupdateOptions> = {}) {
  const processes: FakeProcess[] = [];
  const nsupdate = createNsupdate({
    nameserver: SERVER,
    timeout: 10,
    spawn: (args) => {
      const act = () => acts.shift() ?? ((process) => process.end(99));
      processes.push(new FakeProcess(args, act));
      return processes.at(-1)! as unknown as NsupdateProcess;
    },
    ...options,
  });
  return { nsupdate, processes, send: () => nsupdate.send("dyn.example", CHANGES) };
}

/** Sends as many UPDATEs as there are outcomes expected, then closes. */
async function check(acts: Act[], outcomes: Outcome[], processCount: number): Promise<void> {
  const { nsupdate, processes, send } = fake(acts);
  try {
    for (const outcome of outcomes) assertEquals(await send(), outcome);
    assertEquals(processes.length, processCount, "processes");
  } finally {
    await nsupdate.close();
  }
}

function refused(rcode: string): Outcome {
  return { kind: "refused", reason: `the nameserver says ${rcode}` };
}

function failed(reason: string): Outcome {
  return { kind: "failed", reason };
}

Deno.test("send() writes the server once, and a zone and absolute names for each UPDATE", async () => {
  const { nsupdate, processes } = fake([done, done]);
  await nsupdate.send("dyn.example", [
    change("a.dyn.example", "192.0.2.1"),
    change("b.dyn.example", "2001:db8::1", 300),
  ]);
  await nsupdate.send("", [change("c.example", "192.0.2.2")]);
  await nsupdate.close();
  assertEquals(
    processes.map(({ input }) => input),
    [`server 192.0.2.53 5353
zone dyn.example.
update delete a.dyn.example. A
update add a.dyn.example. 30 A 192.0.2.1
update delete b.dyn.example. AAAA
update add b.dyn.example. 300 AAAA 2001:db8::1
send
zone .
update delete c.example. A
update add c.example. 30 A 192.0.2.2
send
`],
  );
});

Deno.test("send() starts nsupdate for the nameserver, its key, and the address where it was reached", async () => {
  const named = { hostname: "ns.dyn.example", port: 53 };
  const table: [Partial<NsupdateOptions>, string[], string][] = [
    [{ nameserver: undefined }, ["-d", "-r", "0", "-u", "10", "-l", "-4"], ""],
    [{ nameserver: undefined, reachedAt: () => "127.0.0.1" }, [
      "-d",
      "-r",
      "0",
      "-u",
      "10",
      "-l",
      "-4",
    ], ""],
    [
      { nameserver: undefined, reachedAt: () => "::1" },
      ["-d", "-r", "0", "-u", "10", "-l", "-6"],
      "",
    ],
    [{ nameserver: undefined, keyFile: "/k" }, [
      "-d",
      "-k",
      "/k",
      "-r",
      "0",
      "-u",
      "10",
      "-l",
      "-4",
    ], ""],
    [{ nameserver: named }, ["-d", "-v"], "server ns.dyn.example 53\n"],
    [{ nameserver: named, reachedAt: () => undefined }, ["-d", "-v"], "server ns.dyn.example 53\n"],
    [
      { nameserver: named, reachedAt: () => "::1", keyFile: "/k" },
      ["-d", "-k", "/k", "-r", "0", "-u", "10"],
      "server ::1 53\n",
    ],
  ];
  for (const [options, args, server] of table) {
    const { nsupdate, processes, send } = fake([done], options);
    assertEquals(await send(), DONE);
    await nsupdate.close();
    assertEquals(processes[0]!.args, args);
    assertMatch(processes[0]!.input, new RegExp(`^${server}zone dyn\\.example\\.\n`));
  }
});

Deno.test("send() tells what the nameserver answers, in one session", async () => {
  const rcodes = ["REFUSED", "NOTZONE", "NOTAUTH", "SERVFAIL", "FORMERR", "RESERVED11"];
  await check(
    [done, ...rcodes.map((rcode) => says(reply(rcode))), done],
    [DONE, ...rcodes.map(refused), DONE],
    1,
  );
});

Deno.test("send() takes a nameserver that cannot be reached for failed, and starts afresh after it", async () => {
  const said = "; Communication with 192.0.2.53#5353 failed: connection refused\n";
  const outcome = failed("192.0.2.53:5353 cannot be reached: connection refused");
  await check([says(said), says(said), done], [outcome, outcome, DONE], 3);
  // The second address that nsupdate tries is not waited for.
  await check([says(`${said}${SENDING}${reply("NOERROR")}`), done], [outcome, DONE], 2);
});

Deno.test("send() tries once more in a fresh session after a TSIG error, which is never done", async () => {
  const table: [string, string][] = [
    [tsigError("BADKEY"), "the nameserver says BADKEY: it does not know the TSIG key"],
    [
      tsigError("BADSIG"),
      "the nameserver says BADSIG: the TSIG key's secret is not the one that it knows",
    ],
    [
      tsigError("BADTIME 6 AABn").replace(" 0 \n", " \n"),
      "the nameserver says BADTIME: its clock and this machine's differ by minutes",
    ],
    [tsigError("BADTRUNC"), "the nameserver says BADTRUNC"],
    [UNVERIFIED, "TSIG: expected a TSIG or SIG(0)"],
    [
      "; TSIG error with server: tsig verify failure\n" + reply("NOERROR"),
      "TSIG: tsig verify failure",
    ],
  ];
  for (const [said, reason] of table) {
    await check([says(said), says(said), done], [failed(reason), DONE], 3);
    await check([done, says(said), done, done], [DONE, DONE, DONE], 2);
  }
  const cut = ends(`${SENDING}; TSIG error with server: tsig indicates error\n`);
  await check([cut, cut, done], [failed("TSIG: tsig indicates error"), DONE], 3);
});

Deno.test("send() tries once more when nsupdate ends in the middle", async () => {
  const exits = [ends(""), ends(SENDING, 137, "SIGKILL"), ends(SENDING + "\nReply from upd", 1)];
  for (const exit of exits) await check([done, exit, done, done], [DONE, DONE, DONE], 2);
  const table: [Act, string][] = [
    [ends(SENDING, 1), "nsupdate ended: exit status 1"],
    [ends(SENDING, 137, "SIGKILL"), "nsupdate ended: SIGKILL"],
    [ends("could not reach any name server\n"), "nsupdate ended: could not reach any name server"],
    [ends("nsupdate: no key"), "nsupdate ended: nsupdate: no key"],
    [ends("x".repeat(100_000)), `nsupdate ended: ${"x".repeat(300)}`],
  ];
  for (const [exit, reason] of table) await check([exit, exit, done], [failed(reason), DONE], 3);
});

Deno.test("send() tries once more when it does not understand what nsupdate says", async () => {
  const garbled = [
    reply("NOERROR").replace("UPDATE, status", "QUERY, status"),
    reply("NOERROR").replace("status: NOERROR", "status NOERROR"),
    reply("NOERROR").replace("opcode: UPDATE, status: NOERROR, id:  63800", ""),
  ].map(says);
  // A reply to nothing.
  garbled.push((process) => process.say(reply("NOERROR")));
  const outcome = failed("nsupdate's output is not understood");
  for (const act of garbled) {
    await check([act, done, done], [DONE, DONE], 2);
    await check([act, act, done], [outcome, DONE], 3);
  }
});

Deno.test("send() kills an nsupdate that gives no answer, does not try again, and starts afresh", async () => {
  const silences = [
    isSilent,
    says(""),
    says("\nReply from update query:\n;; ->>HEADER<<- opcode: UPD"),
    says("; TSIG error with server: tsig indicates error\n"),
  ];
  for (const silence of silences) {
    const { nsupdate, processes, send } = fake([silence, done], { timeout: 0.02 });
    assertEquals(await send(), failed("no answer in 0.02 s"));
    assertEquals(processes[0]!.signals, ["SIGKILL"]);
    assertEquals(processes.length, 1);
    await send();
    assertEquals(processes.length, 2);
    await nsupdate.close();
  }
});

Deno.test("send() understands output that comes in any pieces", async () => {
  const table: [string, Outcome][] = [
    [reply("NOERROR"), DONE],
    [reply("REFUSED"), refused("REFUSED")],
    [tsigError("BADKEY"), failed("the nameserver says BADKEY: it does not know the TSIG key")],
  ];
  for (const [said, outcome] of table) {
    const bytes = new TextEncoder().encode(SENDING + said);
    for (let at = 0; at <= bytes.length; at++) {
      const inTwo: Act = (process) => {
        process.say(bytes.subarray(0, at));
        queueMicrotask(() => process.say(bytes.subarray(at)));
      };
      await check([inTwo, inTwo], [outcome], outcome.kind === "failed" ? 2 : 1);
    }
    const inBytes: Act = (process) =>
      bytes.forEach((_, i) => process.say(bytes.subarray(i, i + 1)));
    await check([inBytes, inBytes], [outcome], outcome.kind === "failed" ? 2 : 1);
  }
});

Deno.test("send() bears a line without end and bytes that are no text", async () => {
  const noise: Act = (process) => {
    for (let i = 0; i < 10; i++) process.say("x".repeat(50_000));
    process.say(new Uint8Array([0xff, 0xfe, 0x0a]));
    process.say(SENDING + reply("NOERROR"));
  };
  await check([noise], [DONE], 1);
});

Deno.test("a second reply is never taken for the next UPDATE's", async () => {
  // It comes with the first one, or before the next UPDATE is under way.
  await check([says(reply("NOERROR") + reply("NOERROR")), says(reply("REFUSED"))], [
    DONE,
    refused("REFUSED"),
  ], 2);
  const strays: Act = (process) => process.say(reply("NOERROR") + SENDING + reply("NOERROR"));
  await check([done, strays, says(reply("REFUSED"))], [DONE, refused("REFUSED")], 2);
  // A late second TSIG section is not one either.
  await check(
    [says(tsigError("BADKEY") + reply("NOERROR")), says(reply("REFUSED")), done],
    [refused("REFUSED"), DONE],
    2,
  );
});

Deno.test("send() says clearly why nsupdate cannot be started, and tries again the next time", async () => {
  const table: [unknown, RegExp][] = [
    [new Deno.errors.NotFound("x"), /^nsupdate is not installed \(Debian: bind9-dnsutils/],
    [new Deno.errors.NotCapable("x"), /^nsupdate was not installed when .* then restart sftdyn$/],
    [new Error("too many processes"), /^nsupdate cannot be started: too many processes$/],
    ["why", /^nsupdate cannot be started: why$/],
  ];
  for (const [error, reason] of table) {
    let attempts = 0;
    const spawn = (args: string[]) => {
      if (++attempts === 2) return new FakeProcess(args, () => done) as unknown as NsupdateProcess;
      throw error;
    };
    const { nsupdate, send } = fake([], { spawn });
    const outcome = await send();
    assertEquals([outcome.kind, attempts], ["failed", 1]);
    assertMatch((outcome as { reason: string }).reason, reason);
    assertEquals(await send(), DONE);
    await nsupdate.close();
  }
});

/** Keeps the process alive for a promise, which an unref'd timer does not. */
async function within<T>(promise: Promise<T>): Promise<T> {
  const deadline = Promise.withResolvers<never>();
  const timer = setTimeout(() => deadline.reject(new Error("not in 10 s")), 10_000);
  try {
    return await Promise.race([promise, deadline.promise]);
  } finally {
    clearTimeout(timer);
  }
}

Deno.test("nsupdate is ended when there is no work, and started again for the next", async () => {
  const { nsupdate, processes, send } = fake([done, done], { idle: 0 });
  for (let i = 0; i < 2; i++) {
    assertEquals(await send(), DONE);
    await within(processes[i]!.status);
    assert(processes[i]!.isInputClosed);
    assertEquals(processes[i]!.signals, []);
  }
  assertEquals(processes.length, 2);
  await nsupdate.close();
});

Deno.test("close() before any work does nothing, and ends a session once", async () => {
  const { nsupdate, processes, send } = fake([done]);
  await nsupdate.close();
  assertEquals(processes, []);
  await send();
  await nsupdate.close();
  assert(processes[0]!.hasEnded);
  assertEquals(processes[0]!.signals, []);
  await nsupdate.close();
  assertEquals(processes.length, 1);
});

Deno.test("close() kills an nsupdate that does not end with its input", async () => {
  let process: FakeProcess;
  const spawn = (args: string[]) => {
    process = new FakeProcess(args, () => done, { endsWithInput: false });
    return process as unknown as NsupdateProcess;
  };
  const { nsupdate, send } = fake([], { spawn });
  await send();
  await nsupdate.close();
  assertEquals(process!.signals, ["SIGKILL"]);
});

Deno.test("close() while an UPDATE is under way starts no nsupdate any more", async () => {
  const { nsupdate, processes, send } = fake([isSilent, done]);
  const outcome = send();
  await nsupdate.close();
  assertEquals((await outcome).kind, "failed");
  const count = processes.length;
  await nsupdate.close();
  assertEquals(count, 1);
});

/** Runs with a real BIND and the real nsupdate. */
async function withNamed(
  run: (
    context: { named: Named; nsupdate: Nsupdate; update: (i: number) => Promise<Outcome> },
  ) => Promise<void>,
  options: Partial<NsupdateOptions> = {},
): Promise<void> {
  const named = await startNamed();
  const nsupdate = createNsupdate({
    nameserver: { hostname: "127.0.0.1", port: named.port },
    keyFile: named.keyFile,
    timeout: 10,
    ...options,
  });
  const update = (i: number) =>
    nsupdate.send("dyn.example", [change("a.dyn.example", `192.0.2.${i}`)]);
  try {
    await run({ named, nsupdate, update });
  } finally {
    await nsupdate.close();
    await named.stop();
  }
}

/** The processes of nsupdate that this one has started. */
async function running(): Promise<number[]> {
  const found: number[] = [];
  for await (const { name } of Deno.readDir("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    const status = await Deno.readTextFile(`/proc/${name}/status`).catch(() => "");
    if (!/^Name:\tnsupdate$/m.test(status) || /^State:\tZ/m.test(status)) continue;
    if (new RegExp(`^PPid:\t${Deno.pid}$`, "m").test(status)) found.push(Number(name));
  }
  return found;
}

async function until(what: string, holds: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 10_000;
  while (!await holds()) {
    if (Date.now() > deadline) throw new Error(`not in 10 s: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

Deno.test("a real nsupdate changes records of both families, and goes on after a refusal", async () => {
  await withNamed(async ({ named, nsupdate, update }) => {
    assertEquals(await update(1), DONE);
    const pids = await running();
    assertEquals(pids.length, 1);
    const both = [
      change("a.dyn.example", "192.0.2.2"),
      change("a.dyn.example", "2001:db8::2"),
      change("b.dyn.example", "192.0.2.3"),
    ];
    assertEquals(await nsupdate.send("dyn.example", both), DONE);
    assertEquals(await named.dig("a.dyn.example", "A"), ["192.0.2.2"]);
    assertEquals(await named.dig("a.dyn.example", "AAAA"), ["2001:db8::2"]);
    assertEquals(await named.dig("b.dyn.example", "A"), ["192.0.2.3"]);
    const outside = [change("a.other.example", "192.0.2.1")];
    assertEquals(await nsupdate.send("dyn.example", [...both, ...outside]), refused("NOTZONE"));
    assertEquals((await nsupdate.send("other.example", outside)).kind, "refused");
    assertEquals(await update(4), DONE);
    assertEquals(await running(), pids);
  });
  assertEquals(await running(), []);
});

Deno.test("a real nsupdate that is killed while idle, or stopped and killed with an UPDATE, costs nothing", async () => {
  await withNamed(async ({ named, update }) => {
    assertEquals(await update(1), DONE);
    for (const i of [2, 3]) {
      Deno.kill((await running())[0]!, "SIGKILL");
      assertEquals(await update(i), DONE);
    }
    const [pid] = await running();
    Deno.kill(pid!, "SIGSTOP");
    const outcome = update(4);
    Deno.kill(pid!, "SIGKILL");
    assertEquals(await outcome, DONE);
    assertEquals(await named.dig("a.dyn.example", "A"), ["192.0.2.4"]);
  });
});

Deno.test("a real nsupdate that is stopped is killed after the timeout", async () => {
  await withNamed(async ({ update }) => {
    assertEquals(await update(1), DONE);
    const [pid] = await running();
    Deno.kill(pid!, "SIGSTOP");
    assertEquals(await update(2), failed("no answer in 1 s"));
    await until("it is gone", async () => !(await running()).includes(pid!));
    assertEquals(await update(3), DONE);
  }, { timeout: 1 });
});

Deno.test("a BIND that is gone is failed, and one with a new session key is done at once", async () => {
  await withNamed(async ({ named, update }) => {
    assertEquals(await update(1), DONE);
    named.kill("SIGKILL");
    // It has the old key as long as it runs.
    await named.restart();
    assertEquals(await update(2), DONE);
    assertEquals(await named.dig("a.dyn.example", "A"), ["192.0.2.2"]);
    named.kill("SIGKILL");
    await until("it is gone", async () => (await update(3)).kind === "failed");
    const outcome = await update(3);
    assertMatch(JSON.stringify(outcome), /127\.0\.0\.1:\d+ cannot be reached: /);
    await named.restart();
    assertEquals(await update(4), DONE);
  });
});

Deno.test("a wrong TSIG key is failed, and the reason says what is wrong with it", async () => {
  const folder = await Deno.makeTempDir();
  const keyFile = `${folder}/key`;
  try {
    await withNamed(async ({ named, update }) => {
      const key = await Deno.readTextFile(named.keyFile);
      const secret = /secret "(.*)"/.exec(key)![1]!;
      const table: [string, RegExp][] = [
        [key.replace("local-ddns", "other"), /^the nameserver says BADKEY: it does not know/],
        [key.replace(secret, btoa("wrong")), /^the nameserver says BADSIG: the TSIG key's secret/],
      ];
      for (const [text, reason] of table) {
        await Deno.writeTextFile(keyFile, text);
        const outcome = await update(1);
        assertEquals(outcome.kind, "failed");
        assertMatch((outcome as { reason: string }).reason, reason);
      }
      await Deno.writeTextFile(keyFile, key);
      assertEquals(await update(1), DONE);
    }, { keyFile });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("a key file that cannot be read is told, without its secret, and read again for the next UPDATE", async () => {
  const folder = await Deno.makeTempDir();
  const keyFile = `${folder}/key`;
  try {
    await withNamed(async ({ named, update }) => {
      const key = await Deno.readTextFile(named.keyFile);
      const secret = /secret "(.*)"/.exec(key)![1]!;
      const broken = [undefined, "nonsense\n", key.replace(secret, `${secret.slice(0, -2)}*=`)];
      for (const text of broken) {
        if (text !== undefined) await Deno.writeTextFile(keyFile, text);
        const outcome = await update(1);
        assert(outcome.kind !== "done");
        assert(!outcome.reason.includes(secret.slice(0, -2)), outcome.reason);
        assertStringIncludes(outcome.reason, "key");
        await Deno.writeTextFile(keyFile, key);
        assertEquals(await update(2), DONE, "nsupdate goes on without the key");
        // The next one is to start afresh.
        Deno.kill((await running())[0]!, "SIGKILL");
        await until("it is gone", async () => (await running()).length === 0);
      }
    }, { keyFile });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("500 hosts with the longest names that wait together are all OK", async () => {
  await withNamed(async ({ nsupdate }) => {
    const lines: string[] = [];
    const updater = createUpdater({
      nsupdate,
      nameserver: {
        addresses: () => Promise.resolve([]),
        zone: () => Promise.resolve("dyn.example"),
      },
      log: createLog({ level: "error", write: (line) => lines.push(line) }),
      minInterval: 0,
      recheck: 300,
    });
    const results = Array.from({ length: 500 }, (_, i) => {
      const labels = ["a".repeat(57), "b".repeat(57), "c".repeat(57), "d".repeat(40)];
      const name = parseHostname(`${labels.map((label) => `${label}-${i}`).join(".")}.dyn.example`);
      return updater.set({ name, ttl: 30 }, parseAddress("2001:db8::1")!);
    });
    assertEquals(new Set(await Promise.all(results)), new Set(["OK"]), lines[0] ?? "");
  });
});

Deno.test("nsupdateVersion() tells the version of the real nsupdate", async () => {
  assertMatch(await nsupdateVersion(), /^9\.\d+\.\d+/);
});
