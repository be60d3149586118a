import { assert, assertEquals } from "@std/assert";
import { type Reply, Session } from "../../lib/dns/nsupdate_session.ts";
import { UNSIGNED_ZONE_REASON } from "../../lib/dns/reason.ts";
import {
  type Act,
  ends,
  failedTo,
  FakeProcess,
  found,
  foundForAlias,
  isSilent,
  reply,
  says,
  SENDING,
  soaReply,
  tsigError,
  unsigned,
} from "./fake_nsupdate.ts";
import { settle, test } from "../fake_time.ts";

const SCRIPT = "send\n";
const TIMEOUT = 10_000;

interface FakeOptions {
  preamble?: string;
  greeting?: string;
  endsWithInput?: boolean;
}

/** A session of a fake, for which each message takes the next act. */
function start(acts: Act[], { preamble = "", ...options }: FakeOptions = {}) {
  const process = new FakeProcess([], () => acts.shift() ?? isSilent, options);
  const session = new Session(process.asChild, preamble);
  const send = (options = {}) => session.send(SCRIPT, { timeout: TIMEOUT, ...options });
  return { process, session, send };
}

function rcode(rcode: string, isSigned = true): Reply {
  return { kind: "rcode", rcode, isSigned };
}

interface Case {
  name: string;
  said: string;
  reply: Reply;
  /** How often the zone is found. */
  zones?: string[];
}

const UNREACHABLE = "192.0.2.53:5353 cannot be reached: ";

const TRANSCRIPTS: Case[] = [
  { name: "success", said: SENDING + reply("NOERROR"), reply: rcode("NOERROR") },
  {
    name: "success in a zone that it finds",
    said: found("dyn.example") + SENDING + reply("NOERROR"),
    reply: rcode("NOERROR"),
    zones: ["dyn.example"],
  },
  {
    name: "an alias in a zone that it finds",
    said: foundForAlias("dyn.example") + SENDING + reply("YXRRSET"),
    reply: rcode("YXRRSET"),
    zones: ["dyn.example"],
  },
  ...["NXRRSET", "YXRRSET", "REFUSED", "NOTAUTH", "NOTZONE", "SERVFAIL", "RESERVED11"].map(
    (name) => ({ name, said: SENDING + reply(name), reply: rcode(name) }),
  ),
  {
    name: "a zone that Knot does not have",
    said: SENDING + unsigned("NOTAUTH"),
    reply: rcode("NOTAUTH", false),
  },
  {
    name: "the question for the zone refused",
    said: `${failedTo("REFUSED")}could not reach any name server\n`,
    reply: { kind: "refused-soa", reason: "REFUSED" },
  },
  {
    name: "a zone that is not loaded",
    said: `${soaReply("SERVFAIL")}response to SOA query was unsuccessful\n`,
    reply: { kind: "refused-soa", reason: "SERVFAIL" },
  },
  {
    name: "the question for a zone that Knot does not have",
    said: "dns_request_getresponse: expected a TSIG or SIG(0)\n",
    reply: { kind: "unsigned-soa", reason: UNSIGNED_ZONE_REASON },
  },
  {
    name: "no answer, where nsupdate's patience ends first",
    said: SENDING + failedTo("timed out"),
    reply: { kind: "late", reason: `no answer in ${TIMEOUT / 1000} s` },
  },
  {
    name: "no answer to the question for the zone",
    said: `${failedTo("timed out")}could not reach any name server\n`,
    reply: { kind: "late", reason: `no answer in ${TIMEOUT / 1000} s` },
  },
  {
    name: "unreachable",
    said: SENDING + failedTo("connection refused"),
    reply: { kind: "unreachable", reason: `${UNREACHABLE}connection refused` },
  },
  {
    name: "unreachable while the zone is looked for",
    said: `${failedTo("connection refused")}could not reach any name server\n`,
    reply: { kind: "unreachable", reason: `${UNREACHABLE}connection refused` },
  },
  {
    name: "an unknown key",
    said: found("dyn.example", "NOERROR") + SENDING + tsigError("BADKEY"),
    reply: {
      kind: "badkey",
      reason: "NOTAUTH, unsigned: the server does not accept this key or this change (BADKEY: " +
        "it does not know the key's name or algorithm, or its ACL denies this)",
    },
    zones: ["dyn.example"],
  },
  {
    name: "a wrong secret",
    said: "25-Nov-2026 09:08:55.448 the key 'local-ddns' is too short to be secure\n" +
      SENDING + tsigError("BADSIG"),
    reply: {
      kind: "tsig",
      reason: "BADSIG: the TSIG key's secret is not the one that the nameserver has",
    },
  },
  {
    name: "clocks that differ",
    said: SENDING + tsigError("BADTIME 6 AABn").replace(" 0 \n", " \n"),
    reply: {
      kind: "tsig",
      reason: "BADTIME: the nameserver's clock and this machine's differ by minutes",
    },
  },
  {
    name: "another error of TSIG",
    said: SENDING + tsigError("BADTRUNC"),
    reply: { kind: "tsig", reason: "BADTRUNC" },
  },
  {
    name: "two keys in the key file",
    said: "Creating key...\n25-Nov-2026 09:08:55.560 /k:5: 'key' redefined near 'key'\n" +
      `could not read key from /k.{private,key}: already exists\n${SENDING}${reply("REFUSED")}`,
    reply: { kind: "key", reason: "nsupdate cannot use the key file: already exists" },
  },
  {
    name: "a byte order mark in the key file",
    said: "25-Nov-2026 09:08:55.656 /k:1: unknown option '\ufeffkey'\n" +
      "could not read key from /k.{private,key}: failure\n",
    reply: { kind: "key", reason: "nsupdate cannot use the key file: failure" },
  },
  {
    name: "a secret that is none, which is not told",
    said: "namefromtext\ncould not create key from hmac-sha256:sftdyn:DgiZh885f*=: bad base64 " +
      "encoding\n",
    reply: { kind: "key", reason: "nsupdate cannot use the key file: bad base64 encoding" },
  },
  {
    name: "no session key",
    said: "can't read key from //run/named/session.key: file not found\n\n",
    reply: {
      kind: "key",
      reason: "no session key: /run/named/session.key: file not found: named is not running, " +
        "or no zone of it has update-policy local",
    },
  },
  {
    name: "a session key of others",
    said: "can't read key from //run/named/session.key: permission denied\n\n",
    reply: {
      kind: "key",
      reason: "no session key: /run/named/session.key: permission denied: run sftdyn as " +
        "named's user, or set nskeyfile",
    },
  },
];

for (const { name, said, reply, zones = [] } of TRANSCRIPTS) {
  test(`send() understands: ${name}`, async () => {
    const { process, send } = start([says(said)]);
    const heard: string[] = [];
    assertEquals(await send({ onZone: (zone: string) => heard.push(zone) }), reply);
    assertEquals(heard, zones);
    process.end(0);
  });
}

test("send() understands output that comes in any pieces", async () => {
  for (const { name, said, reply } of TRANSCRIPTS) {
    const bytes = new TextEncoder().encode(said);
    for (let at = 0; at <= bytes.length; at += 7) {
      const { process, send } = start([(process) => {
        process.say(bytes.subarray(0, at));
        queueMicrotask(() => process.say(bytes.subarray(at)));
      }]);
      assertEquals(await send(), reply, name);
      process.end(0);
    }
    const { process, send } = start([(process) => {
      bytes.forEach((_, i) => process.say(bytes.subarray(i, i + 1)));
    }]);
    assertEquals(await send(), reply, name);
    process.end(0);
  }
});

test("send() writes the preamble once, and one message after the other", async () => {
  const { process, send } = start([says(SENDING + reply("NOERROR")), says(SENDING + reply("X"))], {
    preamble: "server ::1 53\n",
  });
  assertEquals(await send(), rcode("NOERROR"));
  assertEquals(await send(), rcode("X"));
  assertEquals(process.input, "server ::1 53\nsend\nsend\n");
  process.end(0);
});

test("send() is late after its timeout, and not before", async ({ pass, timers }) => {
  const silences = [
    isSilent,
    says(SENDING),
    says("; TSIG error with server: tsig indicates error\n"),
    says(`${SENDING}\nReply from update query:\n;; ->>HEADER<<- opcode: UPD`),
  ];
  for (const silence of silences) {
    const { process, send } = start([silence]);
    let said: Reply | undefined;
    void send().then((reply) => said = reply);
    await pass(TIMEOUT - 1);
    assertEquals(said, undefined);
    await pass(1);
    assertEquals(said, { kind: "late", reason: "no answer in 10 s" });
    assertEquals(timers(), 0);
    process.end(0);
  }
});

test("a TSIG error without its reason is told after a moment", async ({ pass, timers }) => {
  for (const verify of ["tsig verify failure", "tsig indicates error"]) {
    const said = `; TSIG error with server: ${verify}\n${reply("NOERROR")}`;
    const { process, send } = start([says(SENDING + said)]);
    const sent = send();
    await pass(100);
    assertEquals(await sent, { kind: "tsig", reason: `TSIG: ${verify}` });
    assertEquals(timers(), 0);
    process.end(0);
  }
});

test("an unsigned NOERROR is never an answer to go by", async ({ pass }) => {
  const { process, send } = start([says(SENDING + unsigned("NOERROR"))]);
  const sent = send();
  await pass(100);
  assertEquals(await sent, { kind: "tsig", reason: "TSIG: expected a TSIG or SIG(0)" });
  process.end(0);
});

test("a signature that cannot be verified is never an answer to go by", async ({ pass }) => {
  const said = `; TSIG error with server: tsig verify failure\n${reply("NOERROR")}`;
  const { process, send } = start([says(SENDING + said)]);
  const sent = send();
  await pass(100);
  assertEquals((await sent).kind, "tsig");
  process.end(0);
});

test("send() tells nsupdate's last words, or how it ended", async () => {
  const table: [Act, Reply][] = [
    [ends(SENDING), { kind: "ended", reason: "nsupdate ended: exit status 1" }],
    [ends("", 137, "SIGKILL"), { kind: "ended", reason: "nsupdate ended: SIGKILL" }],
    [ends("invalid owner name: empty label\nsyntax error\n"), {
      kind: "ended",
      reason: "nsupdate ended: invalid owner name: empty label; syntax error",
    }],
    [ends("nsupdate: no newline"), {
      kind: "ended",
      reason: "nsupdate ended: nsupdate: no newline",
    }],
    [ends("x".repeat(100_000)), { kind: "ended", reason: `nsupdate ended: ${"x".repeat(300)}` }],
    [ends("1\n2\n3\n4\n5\n"), { kind: "ended", reason: "nsupdate ended: 1; 2; 3; 4" }],
    [ends(`${SENDING}; TSIG error with server: tsig indicates error\n`), {
      kind: "tsig",
      reason: "TSIG: tsig indicates error",
    }],
    [ends("\nReply from upd"), { kind: "ended", reason: "nsupdate ended: exit status 1" }],
  ];
  for (const [act, said] of table) {
    const { session, send } = start([act]);
    assertEquals(await send(), said);
    await settle();
    assert(session.hasEnded);
  }
});

test("send() to an nsupdate that has ended says so", async () => {
  const { process, session, send } = start([]);
  process.end(1);
  await settle();
  assert(session.hasEnded);
  assertEquals((await Promise.race([send(), settle().then(() => "waits")])) as unknown, {
    kind: "ended",
    reason: "nsupdate ended",
  });
});

test("send() tells what it does not understand", async () => {
  const garbled = [
    SENDING + reply("NOERROR").replace("UPDATE, status", "QUERY, status"),
    SENDING + reply("NOERROR").replace("status: NOERROR", "status NOERROR"),
    SENDING + reply("NOERROR").replace("opcode: UPDATE, status: NOERROR, id:  63800", ""),
    // A reply to nothing.
    reply("NOERROR"),
  ];
  for (const said of garbled) {
    const { process, send } = start([says(said)]);
    assertEquals(await send(), { kind: "garbled", reason: "nsupdate's output is not understood" });
    process.end(0);
  }
});

test("send() bears a line without end and bytes that are no text", async () => {
  const { process, send } = start([(process) => {
    for (let i = 0; i < 10; i++) process.say("x".repeat(50_000));
    process.say(new Uint8Array([0xff, 0xfe, 0x0a]));
    process.say(SENDING + reply("NOERROR"));
  }]);
  assertEquals(await send(), rcode("NOERROR"));
  process.end(0);
});

test("a session that says something more than its answer has ended", async () => {
  const extra = [reply("NOERROR"), SENDING + reply("NOERROR"), failedTo("timed out")];
  for (const more of extra) {
    const { process, session, send } = start([says(SENDING + reply("NOERROR"))]);
    assertEquals(await send(), rcode("NOERROR"));
    await settle();
    assert(!session.hasEnded);
    process.say(more);
    await settle();
    assert(session.hasEnded, more);
    process.end(0);
  }
});

test("a signal ends the wait, and one that came before sends nothing", async ({ timers }) => {
  for (const isBefore of [false, true]) {
    const { process, send } = start([]);
    const abort = new AbortController();
    if (isBefore) abort.abort();
    const sent = send({ signal: abort.signal });
    abort.abort();
    assertEquals(await sent, { kind: "aborted", reason: "not waited for" });
    await settle();
    assertEquals(process.input, isBefore ? "" : SCRIPT);
    assertEquals(timers(), 0);
    process.end(0);
  }
});

test("end() lets nsupdate end by itself", async ({ timers }) => {
  const { process, session } = start([]);
  await session.end();
  assert(process.isInputClosed);
  assertEquals(process.signals, []);
  assertEquals(timers(), 0);
});

test("end() kills an nsupdate that does not end with its input", async ({ pass, timers }) => {
  const { process, session } = start([], { endsWithInput: false });
  const ended = session.end();
  await pass(1000);
  await ended;
  assertEquals(process.signals, ["SIGKILL"]);
  assertEquals(timers(), 0);
});

test("kill() of one that has ended does nothing", async () => {
  const { process, session } = start([]);
  process.end(0);
  session.kill();
  session.kill();
  await session.end();
  assertEquals(process.signals, []);
});
