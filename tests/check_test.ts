import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { check, type CheckOptions } from "../lib/check.ts";
import type { Door } from "../lib/check_hosts.ts";
import { Clients, digest } from "../lib/clients.ts";
import { type Config, ConfigError, loadConfig } from "../lib/config/config.ts";
import type { Answer } from "../lib/dns/nsupdate.ts";
import { parseHostname, parseZoneName } from "../lib/hostname.ts";
import type { Certificate } from "../lib/http/certificate.ts";
import { type Nameserver, nameserverText } from "../lib/nameserver.ts";
import { Zones } from "../lib/zones.ts";
import { freePort } from "../tools/named.ts";
import { makeCertificate } from "./e2e/sftdyn.ts";

const FILE = "/etc/sftdyn/sftdyn.toml";
const HTTP = { hostname: "127.0.0.1", port: freePort() };
const HTTP_TEXT = `http 127.0.0.1:${HTTP.port}`;
const FILE_LINE = `ok: ${FILE}: ${HTTP_TEXT}; 1 client`;
const NSUPDATE_LINE = "ok: nsupdate 9.18.41";
const HOST_LINE = "ok: a.dyn.example: zone dyn.example, A and AAAA can be set";

let folder: string;

Deno.test.beforeAll(async () => {
  folder = await Deno.makeTempDir();
});

Deno.test.afterAll(() => Deno.remove(folder, { recursive: true }));

async function write(name: string, mode: number, text = ""): Promise<string> {
  const file = `${folder}/${name}`;
  await Deno.writeTextFile(file, text);
  await Deno.chmod(file, mode);
  return file;
}

/** Each client has one key and these hosts. */
function clientsOf(...clients: string[][]): Clients {
  const all = new Clients();
  for (const [i, names] of clients.entries()) {
    const hosts = names.map((name) => ({ name: parseHostname(name), ttl: 30 }));
    all.add(digest(`key ${i}`), { hosts });
  }
  return all;
}

const LOCAL: Nameserver = { endpoint: undefined, keyFile: undefined };

function nameserver(hostname: string, port = 53): Nameserver {
  return { endpoint: { hostname, port }, keyFile: undefined };
}

function configOf(changes: Partial<Config> = {}): Config {
  return {
    file: FILE,
    http: [HTTP],
    https: [],
    certificate: undefined,
    nameserver: LOCAL,
    zones: new Zones(),
    timeout: 1000,
    minInterval: 5000,
    recheck: 300_000,
    maxConnections: 1000,
    trustedProxies: [],
    proxyHeader: "X-Forwarded-For",
    clients: clientsOf(["a.dyn.example"]),
    clientFiles: undefined,
    hooks: undefined,
    log: "text",
    withdrawal: undefined,
    dyndns2: undefined,
    status: undefined,
    ttlOf: () => 30,
    ownersOf: () => [],
    shortKeys: [],
    urlKeys: [],
    plainKeys: false,
    prefixClients: [],
    ...changes,
  };
}

function certificateOf(changes: Partial<Certificate>): Certificate {
  return {
    cert: "",
    key: "",
    files: ["cert.pem", "key.pem"],
    notBefore: new Date("2026-01-01T12:00:00Z"),
    notAfter: new Date("2026-12-01T12:00:00Z"),
    names: "DNS:dyn.example",
    chainGap: undefined,
    ...changes,
  };
}

/** A message that a nameserver got. */
interface Message {
  zone: string | undefined;
  hosts: string[];
  types: string;
}

const YES: Answer = { kind: "yes" };

function refused(reason: string, isElsewhere = false): Answer {
  return { kind: "refused", reason, isElsewhere };
}

/** What a nameserver says of one record; a message is refused for its first record that is. */
interface Says {
  zone?: (name: string) => string | undefined;
  record?: (name: string, type: string, zone: string) => Answer | Promise<Answer>;
}

/** A nameserver's fake, which writes down what it is asked. */
class FakeDoor implements Door {
  readonly messages: Message[] = [];
  isClosed = false;
  mostAtOnce = 0;
  #current = 0;

  constructor(readonly says: Says) {}

  probe: Door["probe"] = async (zone, records, { onZone } = {}) => {
    const hosts = [...new Set(records.map(({ name }) => name))];
    const types = [...new Set(records.map(({ type }) => type))].join(" ");
    this.messages.push({ zone, hosts, types });
    this.mostAtOnce = Math.max(this.mostAtOnce, ++this.#current);
    try {
      await Promise.resolve();
      const { zone: zoneOf = () => "dyn.example", record = () => YES } = this.says;
      const found = zone ?? zoneOf(records[0]!.name);
      if (found === undefined) return refused("not authoritative", true);
      if (zone === undefined) onZone?.(found);
      for (const { name, type } of records) {
        const answer = await record(name, type, found);
        if (answer.kind !== "yes") return answer;
      }
      return YES;
    } finally {
      this.#current--;
    }
  };

  close(): Promise<void> {
    this.isClosed = true;
    return Promise.resolve();
  }
}

/** The lines that check() printed, the last apart, and whether all was well. */
async function checked(
  config: Partial<Config>,
  { says = {}, ...options }: { says?: Says } & Partial<CheckOptions> = {},
): Promise<{ isGood: boolean; lines: string[]; last: string; doors: FakeDoor[] }> {
  const lines: string[] = [];
  const doors: FakeDoor[] = [];
  const isGood = await check({
    file: FILE,
    load: () => Promise.resolve(configOf(config)),
    connect: () => {
      doors.push(new FakeDoor(says));
      return doors.at(-1)!;
    },
    nsupdateVersion: () => Promise.resolve("9.18.41"),
    print: (line) => lines.push(line),
    now: () => new Date("2026-06-01T12:00:00Z"),
    ...options,
  });
  const last = lines.pop()!;
  for (const door of doors) assert(door.isClosed);
  return { isGood, lines, last, doors };
}

/** The lines about hosts. */
async function probed(
  names: string[],
  says: Says,
  config: Partial<Config> = {},
): Promise<{ lines: string[]; last: string; messages: Message[]; door: FakeDoor }> {
  const { lines, last, doors } = await checked({ clients: clientsOf(names), ...config }, { says });
  assertEquals(lines[1], NSUPDATE_LINE);
  return { lines: lines.slice(2), last, messages: doors[0]!.messages, door: doors[0]! };
}

function hostsOf(count: number, domain = "dyn.example"): string[] {
  return Array.from({ length: count }, (_, i) => `h${i}.${domain}`);
}

Deno.test("check() of a good configuration is an ok line for each part", async () => {
  const [one, two] = [freePort(), freePort()];
  const keyFile = await write(
    "good.key",
    0o600,
    `key "sftdyn" {\n\talgorithm hmac-sha512;\n\tsecret "${btoa("x".repeat(64))}";\n};\n`,
  );
  const { isGood, lines, last } = await checked({
    http: [HTTP, { hostname: "127.0.0.1", port: one }],
    https: [{ hostname: "127.0.0.1", port: two }],
    certificate: certificateOf({}),
    nameserver: { endpoint: undefined, keyFile },
    clients: clientsOf(["a.dyn.example", "b.dyn.example"], ["a.dyn.example"]),
  }, { says: { zone: (name) => name[0] === "a" ? "dyn.example" : "example" } });
  assertEquals(lines, [
    `ok: ${FILE}: ${HTTP_TEXT}, http 127.0.0.1:${one}, https 127.0.0.1:${two}; 2 clients`,
    "ok: certificate: DNS:dyn.example, valid until 2026-12-01",
    `ok: nskeyfile: "${keyFile}": key "sftdyn", hmac-sha512, 512 bits`,
    NSUPDATE_LINE,
    HOST_LINE,
    "ok: b.dyn.example: zone example, A and AAAA can be set",
  ]);
  assertEquals([isGood, last], [true, "no errors"]);
});

Deno.test("check() of a configuration with faults is those, and nothing else is looked at", async () => {
  const never = () => {
    throw new Error("must not be called");
  };
  const { isGood, lines, last } = await checked({}, {
    load: () => Promise.reject(new ConfigError(["FILE: line 1: one", "FILE: line 2: two"])),
    connect: never,
    nsupdateVersion: never,
  });
  assertEquals(lines, ["error: FILE: line 1: one", "error: FILE: line 2: two"]);
  assertEquals([isGood, last], [false, "2 errors"]);
});

Deno.test("check() passes on what is a fault of its own", async () => {
  const bug = () => Promise.reject(new TypeError("bug"));
  await assertRejects(() => checked({}, { load: bug }), TypeError, "bug");
  await assertRejects(() => checked({}, { says: { record: bug } }), TypeError, "bug");
});

Deno.test("check() warns of clients that are none, short keys, and a file that all can read", async () => {
  const open = await write("open.toml", 0o644);
  const closed = await write("closed.toml", 0o640);
  const short = "the key has fewer than 16 characters and can be guessed; `sftdyn key` makes a " +
    "good one";
  const ok = (file: string, count = "1 client") => `ok: ${file}: ${HTTP_TEXT}; ${count}`;
  const readable = `warning: ${open}: everybody on this machine can read the keys in it: ` +
    `chmod o-r ${open}`;
  const table: [Partial<Config>, string[]][] = [
    [
      { clients: new Clients() },
      [ok(FILE, "0 clients"), `warning: ${FILE}: no clients: nobody can update anything`],
    ],
    [{ shortKeys: [7, 9] }, [
      ok(FILE),
      `warning: ${FILE}: line 7: ${short}`,
      `warning: ${FILE}: line 9: ${short}`,
    ]],
    [{ urlKeys: [8] }, [
      ok(FILE),
      `warning: ${FILE}: line 8: the key looks like a whole URL; the key is only what follows ` +
      "the server's name and its slash",
    ]],
    [{ shortKeys: Array.from({ length: 103 }, (_, i) => 10 + i) }, [
      ok(FILE),
      ...Array.from({ length: 100 }, (_, i) => `warning: ${FILE}: line ${10 + i}: ${short}`),
      `warning: ${FILE}: the same of 3 more lines`,
    ]],
    [{ file: open, plainKeys: true }, [ok(open), readable]],
    [{ file: open, plainKeys: false }, [ok(open)]],
    [{ file: closed, plainKeys: true }, [ok(closed)]],
  ];
  for (const [config, expected] of table) {
    const { isGood, lines } = await checked(config);
    const host = config.clients === undefined ? [HOST_LINE] : [];
    assertEquals([lines, isGood], [[...expected, NSUPDATE_LINE, ...host], true]);
  }
});

Deno.test("check() looks at each file of clients as at the configuration", async () => {
  const one = await write(
    "one",
    0o644,
    "short: a.dyn.example\nhttps://h/0123456789: b.dyn.example\n",
  );
  const two = await write("two", 0o644, `sha256:${digest("k")}: c.dyn.example\n`);
  const file = await write("both.toml", 0o600, 'http = "1"\nclients_file = ["one", "two"]\n');
  const { clients, clientFiles } = await loadConfig(file);
  const { isGood, lines } = await checked({ clients, clientFiles });
  assertEquals(lines.slice(0, 6), [
    `ok: ${FILE}: ${HTTP_TEXT}; 3 clients`,
    `ok: ${one}: 2 clients of these`,
    `warning: ${one}: line 1: the key has fewer than 16 characters and can be guessed; ` +
    "`sftdyn key` makes a good one",
    `warning: ${one}: line 2: the key looks like a whole URL; the key is only what follows the ` +
    "server's name and its slash",
    `warning: ${one}: everybody on this machine can read the keys in it: chmod o-r ${one}`,
    `ok: ${two}: 1 client of these`,
  ]);
  assertEquals(isGood, true);
  // Each host was probed.
  assertEquals(lines.filter((line) => line.includes("can be set")).length, 3);
});

Deno.test("check() loads the hooks, and says what they print", async () => {
  const text = 'console.log("hello"); export const getHost = () => {}, getIp = () => {};';
  const hooks = await write("hooks.js", 0o644).then(async (file) => {
    await Deno.writeTextFile(file, text);
    return file;
  });
  const good = await checked({ hooks, clients: clientsOf() });
  assertEquals(good.lines, [
    `ok: ${FILE}: ${HTTP_TEXT}; 0 clients`,
    `note: ${hooks} printed: hello`,
    `ok: ${hooks}: getIp, getHost`,
    NSUPDATE_LINE,
  ]);
  assertEquals([good.isGood, good.last], [true, "no errors"]);
  await Deno.writeTextFile(hooks, "export const getHosts = 1, getIp = 2;");
  const bad = await checked({ hooks });
  assertEquals(bad.lines.slice(1, 3), [
    `error: hooks: ${hooks}: "getHosts" is no hook, did you mean "getHost"?`,
    `error: hooks: ${hooks}: "getIp" is no function, but of type number`,
  ]);
  assertEquals([bad.isGood, bad.last], [false, "2 errors"]);
});

Deno.test("check() looks at the certificate's dates", async () => {
  const ok = "ok: certificate: DNS:dyn.example, valid until 2026-12-01";
  const expires = "warning: certificate: it expires on 2026-12-01, in";
  const expired = "error: certificate: it expired on 2026-12-01";
  const early = "error: certificate: not valid before 2026-01-01";
  const table: [string, string][] = [
    ["2025-12-31T12:00:00Z", early],
    ["2026-01-01T11:59:59Z", early],
    ["2026-01-01T12:00:00Z", ok],
    ["2026-11-16T12:00:00Z", ok], // 15 days
    ["2026-11-17T12:00:00Z", ok], // 14 days
    ["2026-11-17T12:00:01Z", `${expires} 13 days`],
    ["2026-11-18T12:00:00Z", `${expires} 13 days`],
    ["2026-11-29T12:00:01Z", `${expires} 1 day`],
    ["2026-12-01T11:59:59Z", `${expires} 0 days`],
    ["2026-12-01T12:00:00Z", expired],
    ["2027-12-01T12:00:00Z", expired],
  ];
  for (const [now, line] of table) {
    const { isGood, lines } = await checked(
      { certificate: certificateOf({}) },
      { now: () => new Date(now) },
    );
    assertEquals([now, ...lines], [now, FILE_LINE, line, NSUPDATE_LINE, HOST_LINE]);
    assertEquals(isGood, !line.startsWith("error"));
  }
});

Deno.test("check() takes the time of today if it is told no other", async () => {
  const { lines } = await checked({
    certificate: certificateOf({ notBefore: new Date(0), notAfter: new Date(1) }),
  }, { now: () => new Date() });
  lines.push("1 error");
  const options: CheckOptions = {
    file: FILE,
    load: () =>
      Promise.resolve(
        configOf({ certificate: certificateOf({ notBefore: new Date(0), notAfter: new Date(1) }) }),
      ),
    connect: () => new FakeDoor({}),
    nsupdateVersion: () => Promise.resolve("9.18.41"),
    print: (line) => assertEquals(line, lines.shift()),
  };
  assertEquals(await check(options), false);
  assertEquals(lines, []);
});

Deno.test("check() prints one line a finding, also if a certificate's subject has several parts", async () => {
  const { lines } = await checked({
    certificate: certificateOf({ names: "C=DE\nO=Example\nCN=dyn.example" }),
  });
  assertEquals(lines.length, 4);
  for (const line of lines) assert(!line.includes("\n"), JSON.stringify(line));
});

Deno.test("check() warns of a certificate whose issuer's is not in the file", async () => {
  const chainGap = { subject: "CN=dyn.example", issuer: "CN=issuing" };
  const { lines, last } = await checked({ certificate: certificateOf({ chainGap }) });
  assertEquals(lines.slice(2, -2), [
    'warning: certificate: "cert.pem" does not continue with the certificate of "CN=issuing", ' +
    'which issued "CN=dyn.example": clients that do not have it refuse the connection; use the ' +
    "full chain (fullchain.pem). Fine if it is your own CA and the clients have its certificate",
  ]);
  assertEquals(last, "no errors, 1 warning");
});

Deno.test("check() looks at the key file of each nameserver once", async () => {
  const key = `key "k" { algorithm hmac-sha256; secret "${btoa("x".repeat(32))}"; };`;
  const closed = await write("closed.key", 0o660, key);
  const open = await write("open.key", 0o604, key);
  const bad = await write("bad.key", 0o600, "SECRET");
  const marked = await write("marked.key", 0o600, `\ufeff${key}`);
  // It was there when the configuration was read.
  const gone = `${folder}/gone.key`;
  const ok = (file: string) => `ok: nskeyfile: "${file}": key "k", hmac-sha256, 256 bits`;
  const table: [string, string[]][] = [
    [closed, [ok(closed)]],
    [open, [
      ok(open),
      `warning: nskeyfile: everybody on this machine can read it: chmod o-r ${open}`,
    ]],
    [bad, [
      `error: nskeyfile: "${bad}": no key in it: expected what tsig-keygen writes, ` +
      'key "NAME" { … };',
    ]],
    [marked, [
      `error: nskeyfile: "${marked}": it begins with a byte order mark, which nsupdate does ` +
      "not accept: save it without one",
    ]],
    [gone, [`error: nskeyfile: "${gone}": no such file`]],
  ];
  for (const [keyFile, expected] of table) {
    const own = { endpoint: undefined, keyFile };
    const zone = { name: parseZoneName("other.example"), nameserver: own, ttl: 30 };
    const { isGood, lines } = await checked({ nameserver: own, zones: new Zones([zone]) });
    assertEquals(lines, [FILE_LINE, ...expected, NSUPDATE_LINE, HOST_LINE]);
    assertEquals(isGood, !expected[0]!.startsWith("error"));
  }
});

Deno.test("check() without nsupdate is one error, and no host is probed", async () => {
  const { isGood, lines, last, doors } = await checked({}, {
    nsupdateVersion: () => Promise.reject(new Error("nsupdate is missing")),
  });
  assertEquals(lines, [FILE_LINE, "error: nsupdate is missing"]);
  assertEquals([isGood, last, doors.length], [false, "1 error", 0]);
});

/** The lines about listeners. */
async function listening(config: Partial<Config>): Promise<string[]> {
  const { lines } = await checked(config);
  return lines.slice(1, lines.indexOf(NSUPDATE_LINE)).filter((line) =>
    !/ certificate: /.test(line)
  );
}

const SAYS_ADDRESS = () => new Response("192.0.2.7", { headers: { "cache-control": "no-store" } });

Deno.test("check() tells a running sftdyn from another program at its port", async () => {
  await makeCertificate(folder);
  const cert = await Deno.readTextFile(`${folder}/cert.pem`);
  const key = await Deno.readTextFile(`${folder}/key.pem`);
  const certificate = certificateOf({ cert, key, names: "DNS:localhost, IP Address:127.0.0.1" });
  await makeCertificate(folder);
  const renewed = { ...certificate, cert: await Deno.readTextFile(`${folder}/cert.pem`) };
  const options = { hostname: "127.0.0.1", port: 0, onListen: () => {} };
  const answers: Record<string, () => Response> = {
    running: SAYS_ADDRESS,
    cached: () => new Response("192.0.2.7"),
    page: () => new Response("Welcome", { headers: { "cache-control": "no-store" } }),
    missing: () => new Response("192.0.2.7", { status: 404 }),
  };
  for (const [name, answer] of Object.entries(answers)) {
    const plain = Deno.serve(options, answer);
    const secure = Deno.serve({ ...options, cert, key }, answer);
    const [http, https] = [plain, secure].map(({ addr: { port } }) => ({
      hostname: "127.0.0.1",
      port,
    }));
    const said = name === "running"
      ? "ok: X: in use by a running sftdyn"
      : "error: X: in use by another program";
    const line = (name: string) => said.replace("X", name);
    assertEquals(
      [name, ...await listening({ http: [http!], https: [https!], certificate })],
      [name, line(`http 127.0.0.1:${http!.port}`), line(`https 127.0.0.1:${https!.port}`)],
    );
    assertEquals(await listening({ http: [], https: [https!], certificate: renewed }), [
      `warning: https 127.0.0.1:${https!.port}: in use by another program, or by a running ` +
      "sftdyn with another certificate",
    ]);
    await Promise.all([plain.shutdown(), secure.shutdown()]);
  }
});

Deno.test("check() finds listeners that are for one port, and addresses of another machine", async () => {
  const port = freePort();
  const at = (hostname?: string) => ({ hostname, port });
  const table: [Config["http"], string[]][] = [
    [[at(), at("127.0.0.1")], [`127.0.0.1:${port}: http ${port}`]],
    [[at("127.0.0.1"), at()], [`${port}: http 127.0.0.1:${port}`]],
    [[at(), at("::")], [`[::]:${port}: http ${port}`]],
    [[at("0.0.0.0"), at("127.0.0.2")], [`127.0.0.2:${port}: http 0.0.0.0:${port}`]],
    [[at("127.0.0.1"), at("127.0.0.2"), at("::1")], []],
  ];
  for (const [http, pairs] of table) {
    assertEquals(
      await listening({ http }),
      pairs.map((pair) =>
        `error: http ${pair} has the same port of the same address already: remove one of them`
      ),
    );
  }
  assertEquals(await listening({ http: [at("192.0.2.1")] }), [
    `error: http 192.0.2.1:${port}: this machine has no such address`,
  ]);
});

Deno.test("check() counts errors and warnings in its last line", async () => {
  const table: [Partial<Config>, Says, string][] = [
    [{}, {}, "no errors"],
    [{ shortKeys: [1] }, {}, "no errors, 1 warning"],
    [{ shortKeys: [1, 2] }, {}, "no errors, 2 warnings"],
    [{}, { record: () => refused("no") }, "1 error"],
    [{ shortKeys: [1] }, { record: () => refused("no") }, "1 error, 1 warning"],
  ];
  for (const [config, says, expected] of table) {
    assertEquals((await checked(config, { says })).last, expected);
  }
});

Deno.test("check() tells root how to run it as BIND's user", async () => {
  const { lines } = await checked({}, { isRoot: () => true });
  const [, user] = /^(bind|named):/m.exec(await Deno.readTextFile("/etc/passwd")) ?? [, "bind"];
  assertEquals(
    lines.at(-1),
    "note: root may read what the service's user may not; as that user: " +
      `runuser -u ${user} -- sftdyn check ${FILE}`,
  );
  assertEquals((await checked({}, { isRoot: () => false })).lines.at(-1), HOST_LINE);
});

Deno.test("check() shows its progress only if it takes long, and takes it away", async () => {
  const shown: string[] = [];
  const showProgress = (text: string) => void shown.push(text);
  await checked({}, { showProgress });
  assertEquals(shown, []);
  const isShown = Promise.withResolvers<void>();
  const lines: string[] = [];
  await checked({ clients: clientsOf(["a.dyn.example", "b.dyn.example"]) }, {
    showProgress: (text) => {
      shown.push(text);
      isShown.resolve();
    },
    says: { record: (name) => name[0] === "a" ? YES : isShown.promise.then(() => YES) },
    print: (line) => lines.push(`${line}${shown.at(-1) === "" ? "" : " (beside progress)"}`),
  });
  assertEquals(shown, ["1 of 2 hosts probed …", ""]);
  assertEquals(lines.at(-1), "no errors");
});

Deno.test("check() names the hosts of each zone, or counts them", async () => {
  const { lines } = await probed([...hostsOf(20), ...hostsOf(21, "b.example")], {
    zone: (name) => name.endsWith("b.example") ? "b.example" : "dyn.example",
  });
  assertEquals(lines, [
    ...hostsOf(20).map((host) => `ok: ${host}: zone dyn.example, A and AAAA can be set`),
    "ok: zone b.example: 21 hosts, A and AAAA can be set",
  ]);
});

Deno.test("check() has the zone of each host found, and none that the configuration names", async () => {
  const zone = { name: parseZoneName("b.example"), nameserver: LOCAL, ttl: 30 };
  const names = ["a.dyn.example", "a.b.example", "b.dyn.example", "b.b.example", "c.b.example"];
  const { messages } = await probed(names, {}, { zones: new Zones([zone]) });
  assertEquals(messages, [
    // The first alone: if it fails, nsupdate says why more plainly.
    { zone: "b.example", hosts: ["a.b.example"], types: "A AAAA" },
    { zone: "b.example", hosts: ["b.b.example", "c.b.example"], types: "A AAAA" },
    { zone: undefined, hosts: ["a.dyn.example"], types: "A AAAA" },
    { zone: undefined, hosts: ["b.dyn.example"], types: "A AAAA" },
  ]);
});

Deno.test("check() tells a host with one type that cannot be set from one with none", async () => {
  const says: Says = {
    record: (name, type) => {
      if (name[0] === "b" || name[0] === "c") return type === "A" ? YES : refused("no");
      if (name[0] === "d") return type === "A" ? refused("no") : YES;
      if (name[0] === "e") return refused("no");
      return name[0] === "f" ? refused(`no ${type}`) : YES;
    },
  };
  const names = [..."abcdef"].map((label) => `${label}.dyn.example`);
  const zone = { name: parseZoneName("dyn.example"), nameserver: LOCAL, ttl: 30 };
  for (const zones of [new Zones(), new Zones([zone])]) {
    const { lines, last } = await probed(names, says, { zones });
    assertEquals(lines.toSorted(), [
      "error: e.dyn.example: the local nameserver: no",
      "error: f.dyn.example: the local nameserver: A cannot be set: no A; AAAA cannot be set: no AAAA",
      HOST_LINE,
      "warning: b.dyn.example, c.dyn.example: the local nameserver: AAAA cannot be set: no",
      "warning: d.dyn.example: the local nameserver: A cannot be set: no",
    ]);
    assertEquals(last, "2 errors, 2 warnings");
  }
});

Deno.test("check() probes of each host the types alone that its clients may set", async () => {
  const says: Says = {
    record: (name, type) => name[0] === "x" && type === "AAAA" ? refused("no") : YES,
  };
  const clients = new Clients();
  const rows: [name: string, family?: 4 | 6][] = [["a", 4], ["b", 6], ["c"]];
  for (const [label, family] of rows) {
    for (const name of [`${label}.dyn.example`, `x${label}.dyn.example`]) {
      const hosts = [{ name: parseHostname(name), ttl: 30 }];
      clients.add(digest(name), { hosts, ...family && { limits: { family } } });
    }
  }
  const zone = { name: parseZoneName("dyn.example"), nameserver: LOCAL, ttl: 30 };
  for (const zones of [new Zones(), new Zones([zone])]) {
    const { lines, messages, last } = await probed([], says, { clients, zones });
    assertEquals(lines.toSorted(), [
      "error: xb.dyn.example: the local nameserver: AAAA cannot be set: no",
      "ok: a.dyn.example: zone dyn.example, A can be set",
      "ok: b.dyn.example: zone dyn.example, AAAA can be set",
      "ok: c.dyn.example: zone dyn.example, A and AAAA can be set",
      "ok: xa.dyn.example: zone dyn.example, A can be set",
      "warning: xc.dyn.example: the local nameserver: AAAA cannot be set: no",
    ]);
    assertEquals(last, "1 error, 1 warning");
    for (const { hosts, types } of messages) {
      const [unwanted] = hosts.flatMap((host) =>
        /^x?a/.test(host) ? "AAAA" : /^x?b/.test(host) ? "A" : []
      );
      assert(unwanted === undefined || !types.split(" ").includes(unwanted), `${hosts}: ${types}`);
    }
  }
});

const ZONES = new Zones([{ name: parseZoneName("dyn.example"), nameserver: LOCAL, ttl: 30 }]);

Deno.test("check() finds the few of many hosts that are refused, and names ten", async () => {
  for (const count of [3, 12]) {
    const bad = new Set(hostsOf(count * 70).filter((_, i) => i % 70 === 33));
    const { lines, messages } = await probed(hostsOf(1000), {
      record: (name) => bad.has(name) ? refused("no") : YES,
    }, { zones: ZONES });
    const more = count === 3 ? "" : " and 2 more hosts";
    assertEquals(lines, [
      `ok: zone dyn.example: ${1000 - count} hosts, A and AAAA can be set`,
      `error: ${[...bad].slice(0, 10).join(", ")}${more}: the local nameserver: no`,
    ]);
    // Each half, with both types and with each, down to the host: 9 times for one.
    assert(messages.length < count * 9 * 6 + 5, `${messages.length} messages`);
  }
});

Deno.test("check() does not look for each of many hosts that are refused", async () => {
  const table: [says: Says, level: string, text: string][] = [
    [{ record: () => refused("no") }, "error", "no"],
    [
      { record: (_, type) => type === "A" ? YES : refused("no") },
      "warning",
      "AAAA cannot be set: no",
    ],
  ];
  for (const [says, level, text] of table) {
    const { lines, messages } = await probed(hostsOf(50_000), says, { zones: ZONES });
    const [named, counted, ...others] = lines;
    assertEquals(others, []);
    const first = hostsOf(10).join(", ");
    const server = "the local nameserver";
    const [, more] = new RegExp(
      `^${level}: ${first} and (\\d+) more hosts: ${server}: ${text}$`,
    ).exec(named!)!;
    const [, least, rest] = new RegExp(
      `^${level}: zone dyn.example: ${server}: at least (\\d+) of (\\d+) more hosts, not ` +
        `looked at one by one: ${text}$`,
    ).exec(counted!)!;
    assertEquals(10 + Number(more) + Number(rest), 50_000);
    assert(Number(least) >= 99 && Number(more) < 500, lines.join("\n"));
    assert(messages.length < 2000, `${messages.length} messages`);
  }
});

Deno.test("check() keeps every message below 64 KB", async () => {
  const long = `${"x".repeat(60)}.`.repeat(3);
  const names = hostsOf(900, `${long}dyn.example`);
  const { messages, lines } = await probed(names, {}, { zones: ZONES });
  assertEquals(lines, ["ok: zone dyn.example: 900 hosts, A and AAAA can be set"]);
  const octets = messages.map(({ hosts }) => hosts.length * (3 * hosts[0]!.length + 60));
  assert(Math.max(...octets) < 64_000, `${octets}`);
  assert(messages.length < 20);
});

Deno.test("check() finds one zone a domain where there are many hosts, and says so", async () => {
  const names = [...hostsOf(9000), ...hostsOf(3, "b.dyn.example"), ...hostsOf(4, "c.example")];
  const { lines, messages, door } = await probed(names, {
    zone: (name) => name.endsWith("c.example") ? undefined : "dyn.example",
  });
  assertEquals(lines, [
    "ok: zone dyn.example: 9003 hosts, A and AAAA can be set",
    "ok: the local nameserver: zones were found for 3 hosts; the other 9001 are taken to be in " +
    "their neighbours' zones",
    "error: h0.c.example, h1.c.example, h2.c.example, h3.c.example: the local nameserver: not " +
    "authoritative",
  ]);
  assertEquals(messages.filter(({ zone }) => zone === undefined).map(({ hosts }) => hosts), [
    ["h0.dyn.example"],
    ["h0.b.dyn.example"],
    ["h0.c.example"],
  ]);
  assert(messages.length < 30);
  assert(door.mostAtOnce > 1);
});

Deno.test("check() finds the zone of a host that is not in its neighbours'", async () => {
  const { lines } = await probed(hostsOf(6000), {
    zone: (name) => name === "h77.dyn.example" ? "h77.dyn.example" : "dyn.example",
    record: (name, _, zone) =>
      name === "h77.dyn.example" && zone !== name ? refused("NOTZONE", true) : YES,
  });
  assertEquals(lines.slice(0, 2), [
    "ok: zone dyn.example: 5999 hosts, A and AAAA can be set",
    "ok: h77.dyn.example: zone h77.dyn.example, A and AAAA can be set",
  ]);
});

Deno.test("check() leaves out domains that are too many, and says how many hosts", async () => {
  const names = Array.from({ length: 5003 }, (_, i) => `a.d${i}.example`);
  const { lines } = await probed(names, { zone: (name) => name.slice(2) });
  assertEquals(
    lines.at(-1),
    "warning: 3 hosts in too many domains: the local nameserver: not looked at; name their zones " +
      "under [zones]",
  );
});

const LATE: Answer = { kind: "late", reason: "no answer in 1 s" };
const UNREACHABLE: Answer = { kind: "unreachable", reason: "refused" };

Deno.test("check() gives up a nameserver that does not answer after a few messages", async () => {
  const spread = Array.from({ length: 200 }, (_, i) => `a.d${i}.example`);
  const table: [string[], Answer, most: number][] = [
    [hostsOf(200), UNREACHABLE, 5],
    [spread, UNREACHABLE, 40],
    [hostsOf(200), LATE, 5],
    [spread, LATE, 15],
    [hostsOf(20_000), LATE, 5],
  ];
  for (const [names, answer, most] of table) {
    for (const zones of [new Zones(), ZONES]) {
      const { lines, messages } = await probed(names, { record: () => answer }, { zones });
      const { reason } = answer as { reason: string };
      const more = names.length - 1;
      assertEquals(lines, [
        `error: ${names[0]} and ${more} more hosts: the local nameserver: ${reason}`,
      ]);
      assert(messages.length <= most, `${messages.length} messages`);
    }
  }
});

Deno.test("check() goes on with a nameserver that answers for other hosts", async () => {
  const names = [...hostsOf(30, "silent.example"), ...hostsOf(30)];
  const { lines } = await probed(names, {
    zone: (name) => name.slice(name.indexOf(".") + 1),
    record: (name) => name.endsWith("silent.example") ? LATE : YES,
  });
  assertEquals(lines, [
    "ok: zone dyn.example: 30 hosts, A and AAAA can be set",
    "error: h0.silent.example and 29 more hosts: the local nameserver: no answer in 1 s",
  ]);
});

Deno.test("check() probes each host at its own nameserver, and none waits for another", async () => {
  const [ns1, ns2] = [nameserver("192.0.2.1"), nameserver("2001:db8::2", 5353)];
  const zones = new Zones([
    { name: parseZoneName("a.example"), nameserver: ns1, ttl: 30 },
    { name: parseZoneName("b.example"), nameserver: ns2, ttl: 30 },
  ]);
  const names = ["x.dyn.example", "x.a.example", "x.b.example"];
  const hasAnswered = Promise.withResolvers<void>();
  const asked: string[] = [];
  const { lines } = await checked({ clients: clientsOf(names), zones }, {
    connect: (own, timeout) => {
      asked.push(`${nameserverText(own)} ${timeout}`);
      return new FakeDoor({
        record: () => {
          if (own === ns2) hasAnswered.resolve();
          return own === ns1 ? hasAnswered.promise.then(() => UNREACHABLE) : YES;
        },
      });
    },
  });
  assertEquals(asked, [
    "the local nameserver 1000",
    "nameserver 192.0.2.1:53 1000",
    "nameserver [2001:db8::2]:5353 1000",
  ]);
  assertEquals(lines.slice(2), [
    "ok: x.dyn.example: zone dyn.example, A and AAAA can be set",
    "error: x.a.example: nameserver 192.0.2.1:53: refused",
    "ok: x.b.example: zone b.example, A and AAAA can be set",
  ]);
});

Deno.test("check() tells what hosts behind a router would get, and of surely wrong prefixes", async () => {
  const load = (clients: string) => {
    const text = new TextEncoder().encode(`http = "${HTTP.port}"\n[clients]\n${clients}\n`);
    return loadConfig(FILE, {}, { readFile: () => Promise.resolve(text) });
  };
  const told = async (...rows: string[]) => {
    const clients = rows.map((row, i) =>
      `key${i}-of-a-household = { host = "r${i}.dyn.example", ${row} }`
    );
    const config = await load(clients.join("\n"));
    const { lines } = await checked({}, { load: () => Promise.resolve(config) });
    const own = lines.filter((line) => / prefix/.test(line));
    const isProbed = "ok: nas.dyn.example: zone dyn.example, AAAA can be set";
    if (rows[0]!.includes("nas.")) assert(lines.includes(isProbed), lines.join("\n"));
    return own.map((line) => line.replace(`${FILE}: `, ""));
  };
  const nas = (id: string) => `hosts = { "nas.dyn.example" = "${id}" }`;
  const gets = (line: number, prefix: string, address: string) =>
    `ok: line ${line}: with the prefix ${prefix}, nas.dyn.example gets ${address}`;
  const lines = await told(
    `prefix = { length = 64, ${
      nas("::1a2b:3c4d:5e6f:7890").replace(" }", ', "cam.dyn.example" = "::42" }')
    } }`,
    `prefix = { length = 56, ${nas("::5:0:0:0:42")} }`,
    `prefix = { length = 96, ${nas("::42")} }`,
    `prefix = { length = 31, ${nas("::1:2:3:4:5:6")} }`,
    `prefix = { length = 64, ${nas("::")} }`,
    `prefix = { length = 128, ${nas("::")} }`,
    `networks = ["192.0.2.0/24"], prefix = { length = 64, ${nas("::1")} }`,
    `networks = ["192.0.2.0/24"], address = "request", prefix = { length = 64, ${nas("::1")} }`,
    `networks = ["192.0.2.0/24", "::/0"], prefix = { length = 64, ${nas("::1")} }`,
  );
  assertEquals(lines, [
    `${
      gets(3, "2001:db8::/64", "2001:db8::1a2b:3c4d:5e6f:7890")
    }, cam.dyn.example gets 2001:db8::42`,
    gets(4, "2001:db8::/56", "2001:db8:0:5::42"),
    gets(5, "2001:db8::/96", "2001:db8::42"),
    gets(6, "2001:db8::/31", "2001:db8:1:2:3:4:5:6"),
    "warning: line 6: prefix: no household has one of 31 bits; most have 56 or 64",
    gets(7, "2001:db8::/64", "2001:db8::"),
    "warning: line 7: prefix: the interface id of nas.dyn.example is zero: " +
    "the address is that of the network's routers",
    gets(8, "2001:db8::/128", "2001:db8::"),
    gets(9, "2001:db8::/64", "2001:db8::1"),
    "warning: line 9: prefix: networks has no IPv6, so no request brings one; " +
    'address = "request" lets it name one',
    gets(10, "2001:db8::/64", "2001:db8::1"),
    gets(11, "2001:db8::/64", "2001:db8::1"),
  ]);
  const many = Array.from({ length: 30 }, (_, i) => `"h${i}.dyn.example" = "::${i + 1}"`);
  const all = Array(101).fill(`prefix = { length = 64, hosts = { ${many.join(", ")} } }`);
  const bounded = await told(...all);
  assertEquals(bounded.length, 101);
  assertMatch(bounded[0]!, /h19\.dyn\.example gets 2001:db8::20, and 10 more hosts likewise$/);
  assertEquals(bounded[100], "ok: 1 more client with a prefix");
});
