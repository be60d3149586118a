import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { parseAddress } from "../../lib/address.ts";
import { type Change, recordType } from "../../lib/change.ts";
import {
  type Answer,
  Nsupdate,
  type NsupdateOptions,
  nsupdateVersion,
} from "../../lib/dns/nsupdate.ts";
import { refusalReason } from "../../lib/dns/reason.ts";
import { Updater } from "../../lib/dns/updater.ts";
import { parseHostname } from "../../lib/hostname.ts";
import { createLog } from "../../lib/log.ts";
import { Zones } from "../../lib/zones.ts";
import { type Named, startNamed } from "../../tools/named.ts";
import {
  type Act,
  ends,
  FakeProcess,
  isSilent,
  reply,
  SENDING,
  tsigError,
} from "./fake_nsupdate.ts";
import { until, within } from "../support.ts";

const SERVER = { endpoint: { hostname: "192.0.2.53", port: 5353 }, keyFile: undefined };
const DONE: Answer = { kind: "yes" };

function change(name: string, text: string, ttl = 30): Change {
  const address = parseAddress(text)!;
  return { name: parseHostname(name), type: recordType(address), ttl, address };
}

const CHANGES = [change("a.dyn.example", "192.0.2.1")];

const UNVERIFIED = `; TSIG error with server: expected a TSIG or SIG(0)
${reply("NOERROR").replace(/;; TSIG P.*\n.*\n/, "")}`;

const says = (said: string): Act => (process) => process.say(SENDING + said);
const done = says(reply("NOERROR"));

/** An nsupdate of fakes; each UPDATE that reaches one of them takes the next act. */
function fake(acts: Act[], options: Partial<NsupdateOptions> = {}) {
  const processes: FakeProcess[] = [];
  const nsupdate = new Nsupdate({
    nameserver: SERVER,
    timeout: 10_000,
    spawn: (args) => {
      const act = () => acts.shift() ?? ((process) => process.end(99));
      processes.push(new FakeProcess(args, act));
      return processes.at(-1)!.asChild;
    },
    ...options,
  });
  return { nsupdate, processes, send: () => nsupdate.set("dyn.example", CHANGES) };
}

/** Sends as many UPDATEs as there are outcomes expected, then closes. */
async function check(acts: Act[], outcomes: Answer[], processCount: number): Promise<void> {
  const { nsupdate, processes, send } = fake(acts);
  try {
    for (const outcome of outcomes) assertEquals(await send(), outcome);
    assertEquals(processes.length, processCount, "processes");
  } finally {
    await nsupdate.close();
  }
}

function refused(rcode: string): Answer {
  const isElsewhere = rcode === "NOTAUTH" || rcode === "NOTZONE";
  return { kind: "refused", reason: refusalReason(rcode, true), isElsewhere };
}

function failed(reason: string): Answer {
  return { kind: "failed", reason };
}

Deno.test("set() sends commands of its own in place of the built-in ones, but for an alias", async () => {
  const { nsupdate, processes } = fake([done]);
  const commands = ["update delete a.dyn.example", 'update add a.dyn.example 60 TXT "x"'];
  await nsupdate.set("dyn.example", [{ ...CHANGES[0]!, commands }]);
  await nsupdate.close();
  assertEquals(
    processes.map(({ input }) => input),
    [`check-names off
server 192.0.2.53 5353
zone dyn.example.
prereq nxrrset a.dyn.example. CNAME
update delete a.dyn.example
update add a.dyn.example 60 TXT "x"
send
`],
  );
});

Deno.test("set() writes the server once, and a zone and absolute names for each UPDATE", async () => {
  const { nsupdate, processes } = fake([done, done]);
  await nsupdate.set("dyn.example", [
    change("a.dyn.example", "192.0.2.1"),
    change("b.dyn.example", "2001:db8::1", 300),
  ]);
  await nsupdate.set("", [{ ...change("c.example", "192.0.2.2"), address: undefined }]);
  await nsupdate.close();
  assertEquals(
    processes.map(({ input }) => input),
    [`check-names off
server 192.0.2.53 5353
zone dyn.example.
prereq nxrrset a.dyn.example. CNAME
update delete a.dyn.example. A
update add a.dyn.example. 30 A 192.0.2.1
prereq nxrrset b.dyn.example. CNAME
update delete b.dyn.example. AAAA
update add b.dyn.example. 300 AAAA 2001:db8::1
send
zone .
update delete c.example. A
send
`],
  );
});

Deno.test("ask() and probe() change nothing: what they write", async () => {
  const { nsupdate, processes } = fake([done, done]);
  const a = change("a.dyn.example", "192.0.2.1");
  const none = { ...change("b.dyn.example", "2001:db8::1"), address: undefined };
  assertEquals(await nsupdate.ask("dyn.example", [a, none]), DONE);
  assertEquals(await nsupdate.probe("dyn.example", [a, { ...a, type: "AAAA" }]), DONE);
  await nsupdate.close();
  assertEquals(
    processes[0]!.input,
    `check-names off
server 192.0.2.53 5353
zone dyn.example.
prereq yxrrset a.dyn.example. A 192.0.2.1
prereq nxrrset b.dyn.example. AAAA
send
zone dyn.example.
prereq nxrrset a.dyn.example. CNAME
update delete a.dyn.example. A 0.0.0.0
update delete a.dyn.example. AAAA ::
send
`,
  );
});

Deno.test("ask() says no where the record is another, or is there", async () => {
  const acts = ["NXRRSET", "YXRRSET", "NOERROR", "REFUSED"].map((rcode) => says(reply(rcode)));
  const { nsupdate } = fake([...acts]);
  const kinds = [];
  for (const _ of acts) kinds.push((await nsupdate.ask("dyn.example", CHANGES)).kind);
  await nsupdate.close();
  assertEquals(kinds, ["no", "no", "yes", "refused"]);
});

type Connect = NonNullable<NsupdateOptions["connect"]>;

/** nsupdate's words where it finds the zone, as BIND 9.18 prints them. */
function finds(zone: string, rcode = "NOERROR"): string {
  return `Reply from SOA query:
;; ->>HEADER<<- opcode: QUERY, status: ${rcode}, id:   3591
;; flags: qr aa; QUESTION: 1, ANSWER: 0, AUTHORITY: 1, ADDITIONAL: 1
;; QUESTION SECTION:
;x.dyn.example.\t\t\tIN\tSOA

Found zone name: ${zone}
The primary is: ns.${zone}
`;
}

Deno.test("without a zone nsupdate finds it, and tells it; only one that ends the name is believed", async () => {
  const table: [string, string | undefined][] = [
    ["dyn.example", "dyn.example"],
    ["DYN.example.", "dyn.example"],
    ["a.dyn.example", "a.dyn.example"],
    [".", ""],
    ["yn.example", undefined],
    ["other.example", undefined],
  ];
  for (const [found, zone] of table) {
    const act: Act = (process) => process.say(finds(found) + SENDING + reply("NXRRSET"));
    const { nsupdate, processes } = fake([act]);
    let told: string | undefined;
    const answer = await nsupdate.ask(undefined, CHANGES, { onZone: (name) => told = name });
    await nsupdate.close();
    assertEquals([answer.kind, told], ["no", zone]);
    assert(!processes[0]!.input.includes("zone "));
  }
});

Deno.test("sessions that find the zone and those that are given it are never mixed", async () => {
  const found: Act = (process) => process.say(finds("dyn.example") + SENDING + reply("NOERROR"));
  const { nsupdate, processes } = fake([done, found, done, found]);
  for (const zone of ["dyn.example", undefined, "dyn.example", undefined]) {
    assertEquals(await nsupdate.set(zone, CHANGES), DONE);
  }
  await nsupdate.close();
  assertEquals(processes.map(({ input }) => input.match(/^zone /gm)?.length), [2, undefined]);
});

Deno.test("a question for the zone that is refused is told, with where to look", async () => {
  const said = "; Communication with 192.0.2.53#5353 failed: REFUSED\n" +
    "could not reach any name server\n";
  const { nsupdate } = fake([ends(said)]);
  const answer = await nsupdate.ask(undefined, CHANGES);
  await nsupdate.close();
  assert(answer.kind === "refused" && answer.isElsewhere);
  assertMatch(answer.reason, /^REFUSED: it is not authoritative for this name/);
});

Deno.test("a name that is in no zone there is refused, and a message aborted before its turn is not sent", async () => {
  const nowhere = ends(
    finds("x").split("\nFound")[0] + "\ncould not find enclosing zone\n",
  );
  const { nsupdate, processes } = fake([nowhere, nowhere]);
  assertEquals((await nsupdate.ask(undefined, CHANGES)).kind, "refused");
  const count = processes.length;
  const aborted = { signal: AbortSignal.abort() };
  assertEquals((await nsupdate.ask(undefined, CHANGES, aborted)).kind, "aborted");
  assert(processes.slice(count).every(({ input }) => input === ""));
  await nsupdate.close();
});

Deno.test("where the question for the zone goes in a circle, the zone is its domain's", async () => {
  const circle = ends(
    finds("x", "SERVFAIL").split("\nFound")[0] + "\nresponse to SOA query was unsuccessful",
  );
  const parent: Act = (process) => process.say(finds("dyn.example") + SENDING + reply("YXDOMAIN"));
  const { nsupdate, processes } = fake([circle, parent, done]);
  let zone = "";
  const answer = await nsupdate.set(undefined, CHANGES, { onZone: (name) => zone = name });
  await nsupdate.close();
  assertEquals([answer, zone], [DONE, "dyn.example"]);
  assertStringIncludes(processes[1]!.input, "prereq yxdomain dyn.example.\nsend\n");
  assertStringIncludes(processes[2]!.input, "zone dyn.example.\nprereq nxrrset a.dyn.example.");
});

Deno.test("a key that is not known is an unsigned refusal, after a second try", async () => {
  await check([says(tsigError("BADKEY")), says(tsigError("BADKEY")), done], [{
    kind: "refused",
    reason: "NOTAUTH, unsigned: the server does not accept this key or this change (BADKEY: it " +
      "does not know the key's name or algorithm, or its ACL denies this)",
    isElsewhere: false,
  }, DONE], 3);
});

Deno.test("an unsigned refusal is one, and an unsigned yes is none", async () => {
  const unsigned = (rcode: string) => UNVERIFIED.replace("status: NOERROR", `status: ${rcode}`);
  await check([says(unsigned("NOTAUTH")), done], [{
    kind: "refused",
    reason: "NOTAUTH, unsigned: the server does not accept this key or this change",
    isElsewhere: false,
  }, DONE], 1);
  await check([says(UNVERIFIED), says(UNVERIFIED)], [failed("TSIG: expected a TSIG or SIG(0)")], 2);
});

Deno.test("a message that nobody waits for any more is aborted, and its nsupdate killed", async () => {
  const { nsupdate, processes } = fake([isSilent, done]);
  const waiting = new AbortController();
  const answer = nsupdate.ask(undefined, CHANGES, { signal: waiting.signal });
  while (!processes[0]?.input.endsWith("send\n")) await Promise.resolve();
  waiting.abort();
  assertEquals((await answer).kind, "aborted");
  assertEquals(processes[0]!.signals, ["SIGKILL"]);
  await nsupdate.close();
});

Deno.test("a session key that cannot be read is told, and is not tried again", async () => {
  const said = "can't read key from //run/named/session.key: permission denied\n";
  const { nsupdate, processes, send } = fake([ends(said), done]);
  const answer = await send();
  assert(answer.kind === "failed");
  assertMatch(
    answer.reason,
    /^no session key: \/run\/named\/session\.key: permission denied: run sf/,
  );
  assertEquals(processes.length, 1);
  await nsupdate.close();
});

Deno.test("nsupdate is started for the nameserver, with its key or BIND's session key", async () => {
  const at = (hostname: string, port = 53) => ({
    endpoint: { hostname, port },
    keyFile: undefined,
  });
  const udp = ["-d", "-r", "0", "-u", "10"];
  /** Who listens where, for a connection that tells the address of a name. */
  const listening = (...addresses: string[]): Connect => ({ hostname }) => {
    const address = hostname === "ns.dyn.example" ? addresses[0]! : hostname!;
    if (!addresses.includes(address)) return Promise.reject(new Deno.errors.ConnectionRefused("x"));
    const conn = { close() {}, remoteAddr: { transport: "tcp", hostname: address, port: 53 } };
    return Promise.resolve(conn as unknown as Deno.Conn);
  };
  const table: [Partial<NsupdateOptions>, args: string[], server: string][] = [
    [{ nameserver: { endpoint: undefined, keyFile: undefined } }, [
      ...udp,
      "-l",
      "-p",
      "53",
      "-4",
    ], ""],
    [
      { nameserver: { endpoint: undefined, keyFile: undefined }, connect: listening("::1") },
      [...udp, "-l", "-p", "53", "-6"],
      "",
    ],
    [
      { nameserver: { endpoint: undefined, keyFile: "/k" }, connect: listening("::1") },
      [...udp, "-k", "/k"],
      "server ::1 53\n",
    ],
    [{ nameserver: at("127.0.0.1", 5353) }, [...udp, "-l", "-p", "5353", "-4"], ""],
    [{ nameserver: at("::1") }, [...udp, "-l", "-p", "53", "-6"], ""],
    [
      { nameserver: at("127.0.0.2"), exists: (file) => Promise.resolve(file.startsWith("/var")) },
      [...udp, "-k", "/var/run/named/session.key"],
      "server 127.0.0.2 53\n",
    ],
    [
      { nameserver: at("127.0.0.2"), exists: () => Promise.resolve(false) },
      [...udp, "-k", "/run/named/session.key"],
      "server 127.0.0.2 53\n",
    ],
    [
      { nameserver: { ...at("127.0.0.1"), keyFile: "/k" } },
      [...udp, "-k", "/k"],
      "server 127.0.0.1 53\n",
    ],
    [{ nameserver: at("192.0.2.53") }, ["-d", "-v"], "server 192.0.2.53 53\n"],
    [
      { nameserver: { ...at("ns.dyn.example"), keyFile: "/k" }, connect: listening("2001:db8::1") },
      ["-d", "-v", "-k", "/k"],
      "server 2001:db8::1 53\n",
    ],
    [
      { nameserver: at("ns.dyn.example"), connect: listening("127.0.0.1") },
      [...udp, "-l", "-p", "53", "-4"],
      "",
    ],
  ];
  for (const [options, args, server] of table) {
    const { nsupdate, processes, send } = fake([done], { connect: listening(), ...options });
    assertEquals(await send(), DONE);
    await nsupdate.close();
    assertEquals(processes[0]!.args, args);
    assert(processes[0]!.input.startsWith(`check-names off\n${server}zone dyn.example.\n`));
  }
});

Deno.test("a nameserver's name that leads nowhere is unreachable, and says why", async () => {
  const nameserver = { endpoint: { hostname: "ns.dyn.example", port: 53 }, keyFile: undefined };
  const never = new Promise<Deno.Conn>(() => {});
  const table: [Connect, RegExp][] = [
    [
      () => Promise.reject(new Error("no such name")),
      /^ns\.dyn\.example:53 cannot be reached: no such/,
    ],
    [() => never, /: no connection in 0\.06 s$/],
  ];
  for (const [connect, reason] of table) {
    const { nsupdate, send } = fake([], { nameserver, connect, timeout: 60 });
    const answer = await send();
    assert(answer.kind === "unreachable");
    assertMatch(answer.reason, reason);
    await nsupdate.close();
  }
});

Deno.test("on this machine, an answer that does not come is asked for once more", async () => {
  const nameserver = { endpoint: { hostname: "127.0.0.1", port: 53 }, keyFile: "/k" };
  const found: Act = (process) => process.say(finds("dyn.example"));
  const answered = (rcode: string): Act => (process) =>
    process.say(finds("dyn.example") + SENDING + reply(rcode));
  // An ask, before and after the zone was found.
  for (const lost of [isSilent, found]) {
    const { nsupdate } = fake([lost, answered("NXRRSET")], { nameserver });
    let zones = 0;
    const answer = await nsupdate.ask(undefined, CHANGES, { onZone: () => zones++ });
    assertEquals([answer.kind, zones], ["no", 1]);
    await nsupdate.close();
  }
  // A set that was not sent is sent again; one that was is asked for.
  const table: [ZoneName: string | undefined, Act[], script: RegExp, Answer][] = [
    [undefined, [isSilent, answered("NOERROR")], /update add/, { kind: "yes", isUnsure: true }],
    ["dyn.example", [isSilent, done], /^prereq yxrrset/m, { kind: "yes", isUnsure: true }],
    ["dyn.example", [isSilent, says(reply("NXRRSET"))], /^prereq yxrrset/m, {
      kind: "late",
      reason: "no answer in 1.2 s",
    }],
  ];
  for (const [zone, acts, script, expected] of table) {
    const { nsupdate, processes } = fake(acts, { nameserver, timeout: 1200 });
    assertEquals(await nsupdate.set(zone, CHANGES), expected);
    assertMatch(processes[1]!.input, script);
    await nsupdate.close();
  }
});

Deno.test("set() tells what the nameserver answers, in one session", async () => {
  const rcodes = ["REFUSED", "NOTZONE", "NOTAUTH", "SERVFAIL", "FORMERR", "RESERVED11"];
  await check(
    [done, ...rcodes.map((rcode) => says(reply(rcode))), done],
    [DONE, ...rcodes.map(refused), DONE],
    1,
  );
});

Deno.test("set() says of a nameserver that it cannot be reached, and starts afresh after it", async () => {
  const said = "; Communication with 192.0.2.53#5353 failed: connection refused\n";
  const outcome: Answer = {
    kind: "unreachable",
    reason: "192.0.2.53:5353 cannot be reached: connection refused",
  };
  await check([says(said), says(said), done], [outcome, outcome, DONE], 3);
  // The second address that nsupdate tries is not waited for.
  await check([says(`${said}${SENDING}${reply("NOERROR")}`), done], [outcome, DONE], 2);
});

Deno.test("set() tries once more in a fresh session after a TSIG error, which is never done", async () => {
  const table: [string, string][] = [
    [
      tsigError("BADSIG"),
      "BADSIG: the TSIG key's secret is not the one that the nameserver has",
    ],
    [
      tsigError("BADTIME 6 AABn").replace(" 0 \n", " \n"),
      "BADTIME: the nameserver's clock and this machine's differ by minutes",
    ],
    [tsigError("BADTRUNC"), "BADTRUNC"],
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

Deno.test("set() tries once more when nsupdate ends in the middle", async () => {
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

Deno.test("set() tries once more when it does not understand what nsupdate says", async () => {
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

Deno.test("set() kills an nsupdate that gives no answer, does not try again, and starts afresh", async () => {
  const silences = [
    isSilent,
    says(""),
    says("\nReply from update query:\n;; ->>HEADER<<- opcode: UPD"),
    says("; TSIG error with server: tsig indicates error\n"),
  ];
  for (const silence of silences) {
    const { nsupdate, processes, send } = fake([silence, done], { timeout: 70 });
    assertEquals(await send(), { kind: "late", reason: "no answer in 0.07 s" });
    assertEquals(processes[0]!.signals, ["SIGKILL"]);
    assertEquals(processes.length, 1);
    await send();
    assertEquals(processes.length, 2);
    await nsupdate.close();
  }
});

Deno.test("set() understands output that comes in any pieces", async () => {
  const table: [string, Answer][] = [
    [reply("NOERROR"), DONE],
    [reply("REFUSED"), refused("REFUSED")],
    [
      tsigError("BADSIG"),
      failed("BADSIG: the TSIG key's secret is not the one that the nameserver has"),
    ],
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

Deno.test("set() bears a line without end and bytes that are no text", async () => {
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
    [says(tsigError("BADSIG") + reply("NOERROR")), says(reply("REFUSED")), done],
    [refused("REFUSED"), DONE],
    2,
  );
});

Deno.test("set() says clearly why nsupdate cannot be started, and tries again the next time", async () => {
  const table: [unknown, RegExp][] = [
    [new Deno.errors.NotFound("x"), /^nsupdate is not installed \(Debian: bind9-dnsutils/],
    [new Deno.errors.NotCapable("x"), /^nsupdate was not installed when .* then restart sftdyn$/],
    [new Error("too many processes"), /^nsupdate cannot be started: too many processes$/],
    ["why", /^nsupdate cannot be started: why$/],
  ];
  for (const [error, reason] of table) {
    let attempts = 0;
    const spawn = (args: string[]) => {
      if (++attempts === 2) return new FakeProcess(args, () => done).asChild;
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

Deno.test("nsupdate is ended when there is no work, and started again for the next", async () => {
  const { nsupdate, processes, send } = fake([done, done], { idle: 0 });
  for (let i = 0; i < 2; i++) {
    assertEquals(await send(), DONE);
    await within(processes[i]!.status, "its end");
    assert(processes[i]!.isInputClosed);
    assertEquals(processes[i]!.signals, []);
  }
  assertEquals(processes.length, 2);
  await nsupdate.close();
});

Deno.test("close() before any work starts nothing, nor does what comes after it", async () => {
  const { nsupdate, processes, send } = fake([done]);
  await nsupdate.close();
  assertEquals((await send()).kind, "failed");
  assertEquals(processes, []);
});

Deno.test("close() ends a session once", async () => {
  const { nsupdate, processes, send } = fake([done]);
  await send();
  await nsupdate.close();
  assert(processes[0]!.hasEnded);
  assertEquals(processes[0]!.signals, []);
  await nsupdate.close();
  assertEquals(processes.length, 1);
});

Deno.test("retire() has what is under way and what waits done, and then ends", async () => {
  const { nsupdate, processes, send } = fake([done, done]);
  const answers = [send(), send()];
  nsupdate.retire();
  assertEquals(await Promise.all(answers), [DONE, DONE]);
  for (const process of processes) await within(process.status, "its end");
});

Deno.test("a time-out that nsupdate tells is late, and not that nobody is there", async () => {
  const said = "; Communication with 192.0.2.53#5353 failed: timed out\n";
  const { nsupdate, send } = fake([says(said)]);
  assertEquals(await send(), { kind: "late", reason: "no answer in 10 s" });
  await nsupdate.close();
});

Deno.test("close() kills an nsupdate that does not end with its input", async () => {
  let process: FakeProcess;
  const spawn = (args: string[]) => {
    process = new FakeProcess(args, () => done, { endsWithInput: false });
    return process.asChild;
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
  assert(processes.length <= 1);
});

/** Runs with a real BIND and the real nsupdate. */
async function withNamed(
  run: (
    context: { named: Named; nsupdate: Nsupdate; update: (i: number) => Promise<Answer> },
  ) => Promise<void>,
  { keyFile, ...options }: Partial<NsupdateOptions> & { keyFile?: string } = {},
): Promise<void> {
  const named = await startNamed();
  const nsupdate = new Nsupdate({
    nameserver: {
      endpoint: { hostname: "127.0.0.1", port: named.port },
      keyFile: keyFile ?? named.keyFile,
    },
    timeout: 10_000,
    ...options,
  });
  const update = (i: number) =>
    nsupdate.set("dyn.example", [change("a.dyn.example", `192.0.2.${i}`)]);
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
    assertEquals(await nsupdate.set("dyn.example", both), DONE);
    assertEquals(await named.dig("a.dyn.example", "A"), ["192.0.2.2"]);
    assertEquals(await named.dig("a.dyn.example", "AAAA"), ["2001:db8::2"]);
    assertEquals(await named.dig("b.dyn.example", "A"), ["192.0.2.3"]);
    const outside = [change("a.other.example", "192.0.2.1")];
    assertEquals(await nsupdate.set("dyn.example", [...both, ...outside]), refused("NOTZONE"));
    assertEquals((await nsupdate.set("other.example", outside)).kind, "refused");
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
    assertEquals(await update(2), { kind: "late", reason: "no answer in 3 s" });
    await until("it is gone", async () => !(await running()).includes(pid!));
    assertEquals(await update(3), DONE);
  }, { timeout: 3000 });
});

Deno.test("a BIND that is gone is failed, and one with a new session key is done at once", async () => {
  await withNamed(async ({ named, update }) => {
    assertEquals(await update(1), DONE);
    named.kill("SIGKILL");
    // It has the old key as long as it runs.
    await named.restart();
    assertEquals(await update(2), DONE);
    assertEquals(await named.dig("a.dyn.example", "A"), ["192.0.2.2"]);
    await named.killed();
    const outcome = await update(3);
    // An older nsupdate waits for what does not come (BIND 9.16).
    assert(outcome.kind === "unreachable" || outcome.kind === "late", JSON.stringify(outcome));
    assertMatch(outcome.reason, /^(127\.0\.0\.1:\d+ cannot be reached: |no answer in )/);
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
        [key.replace("local-ddns", "other"), /^NOTAUTH, unsigned: .*BADKEY/],
        [key.replace(secret, btoa("wrong")), /^BADSIG: the TSIG key's secret/],
      ];
      for (const [text, reason] of table) {
        await Deno.writeTextFile(keyFile, text);
        const outcome = await update(1);
        assert(outcome.kind === "failed" || outcome.kind === "refused");
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
        assert(outcome.kind === "failed");
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
    const updater = new Updater({
      nsupdate,
      zones: new Zones([{
        name: parseHostname("dyn.example"),
        nameserver: SERVER,
        ttl: 30,
      }]),
      log: createLog({ level: "error", write: (line) => lines.push(line) }),
      minInterval: 0,
      recheck: 300_000,
    });
    const changes = Array.from({ length: 500 }, (_, i) => {
      const labels = ["a".repeat(57), "b".repeat(57), "c".repeat(57), "d".repeat(40)];
      return change(
        `${labels.map((label) => `${label}-${i}`).join(".")}.dyn.example`,
        "2001:db8::1",
      );
    });
    assertEquals(new Set(await updater.set(changes)), new Set(["OK"]), lines[0] ?? "");
  });
});

Deno.test("nsupdateVersion() tells the version of the real nsupdate", async () => {
  assertMatch(await nsupdateVersion(), /^9\.\d+\.\d+/);
});
