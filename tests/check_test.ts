import { assert, assertEquals, assertRejects } from "@std/assert";
import type { Certificate } from "../lib/http/certificate.ts";
import { check, type CheckOptions } from "../lib/check.ts";
import { Clients, digest } from "../lib/clients.ts";
import { type Config, ConfigError } from "../lib/config/config.ts";
import { parseHostname } from "../lib/hostname.ts";
import { LookupError, type Nameserver } from "../lib/dns/nameserver.ts";

const FILE = "/etc/sftdyn/sftdyn.toml";
const FILE_LINE = `ok: ${FILE}: http 8080; 1 client`;
const NSUPDATE_LINE = "ok: nsupdate 9.18.41";
const HOST_LINE = "ok: a.dyn.example: zone dyn.example, A none, AAAA none";

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
    all.add(digest(`key ${i}`), names.map((name) => ({ name: parseHostname(name), ttl: 30 })));
  }
  return all;
}

function configOf(changes: Partial<Config> = {}): Config {
  return {
    file: FILE,
    http: [{ hostname: undefined, port: 8080 }],
    https: [],
    certificate: undefined,
    nskeyfile: undefined,
    nameserver: undefined,
    timeout: 10,
    minInterval: 5,
    recheck: 300,
    trustedProxies: [],
    proxyHeader: "X-Forwarded-For",
    clients: clientsOf(["a.dyn.example"]),
    shortKeys: [],
    plainKeys: false,
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
    ...changes,
  };
}

/** What a nameserver says: zone and addresses of a name, or its trouble. */
type Says = (name: string) => { zone?: string; A?: string[]; AAAA?: string[] } | string;

/** A nameserver's fake; `log` tells what was done with it. */
function nameserverOf(says: Says, log: string[] = []): Nameserver {
  const about = (name: string) => {
    const said = says(name);
    if (typeof said === "string") throw new LookupError(said);
    return said;
  };
  return {
    zone: async (name: string) => {
      log.push(`zone ${name}`);
      await Promise.resolve();
      return about(name).zone ?? "dyn.example";
    },
    addresses: async (name: string, type: "A" | "AAAA") => await about(name)[type] ?? [],
    close: () => Promise.resolve(void log.push("close")),
  } as unknown as Nameserver;
}

/** The lines that check() printed, and whether all was well. */
async function checked(
  config: Partial<Config>,
  { says = () => ({}), ...options }: { says?: Says } & Partial<CheckOptions> = {},
): Promise<{ isGood: boolean; lines: string[] }> {
  const lines: string[] = [];
  const isGood = await check({
    load: () => Promise.resolve(configOf(config)),
    nameserver: () => nameserverOf(says),
    nsupdateVersion: () => Promise.resolve("9.18.41"),
    print: (line) => lines.push(line),
    now: () => new Date("2026-06-01T12:00:00Z"),
    ...options,
  });
  return { isGood, lines };
}

Deno.test("check() of a good configuration is an ok line for each part", async () => {
  const { isGood, lines } = await checked({
    http: [{ hostname: undefined, port: 8080 }, { hostname: "::1", port: 8081 }],
    https: [{ hostname: "127.0.0.1", port: 4443 }],
    certificate: certificateOf({}),
    nskeyfile: await write(
      "good.key",
      0o600,
      `key "sftdyn" {\n\talgorithm hmac-sha512;\n\tsecret "${btoa("x".repeat(64))}";\n};\n`,
    ),
    clients: clientsOf(["a.dyn.example", "b.dyn.example"], ["a.dyn.example"]),
  }, {
    says: (name) =>
      name[0] === "a"
        ? { A: ["192.0.2.1", "192.0.2.2"], AAAA: ["2001:db8::1"] }
        : { zone: "example" },
  });
  assertEquals(lines, [
    `ok: ${FILE}: http 8080, http [::1]:8081, https 127.0.0.1:4443; 2 clients`,
    "ok: certificate: DNS:dyn.example, valid until 2026-12-01",
    'ok: nskeyfile: key "sftdyn", hmac-sha512, 512 bits',
    NSUPDATE_LINE,
    "ok: a.dyn.example: zone dyn.example, A 192.0.2.1 192.0.2.2, AAAA 2001:db8::1",
    "ok: b.dyn.example: zone example, A none, AAAA none",
  ]);
  assertEquals(isGood, true);
});

Deno.test("check() of a configuration with faults is those, and nothing else is looked at", async () => {
  const never = () => {
    throw new Error("must not be called");
  };
  const { isGood, lines } = await checked({}, {
    load: () => Promise.reject(new ConfigError(["FILE: line 1: one", "FILE: line 2: two"])),
    nameserver: never,
    nsupdateVersion: never,
  });
  assertEquals(lines, ["error: FILE: line 1: one", "error: FILE: line 2: two"]);
  assertEquals(isGood, false);
});

Deno.test("check() passes on what is a fault of its own", async () => {
  const bug = () => Promise.reject(new TypeError("bug"));
  await assertRejects(() => checked({}, { load: bug }), TypeError, "bug");
  const says = () => {
    throw new TypeError("bug");
  };
  await assertRejects(() => checked({}, { says }), TypeError, "bug");
});

Deno.test("check() warns of clients that are none, short keys, and a file that all can read", async () => {
  const open = await write("open.toml", 0o644);
  const closed = await write("closed.toml", 0o640);
  const short = "the key has fewer than 16 characters and can be guessed; `sftdyn key` makes a " +
    "good one";
  const ok = (file: string, count = "1 client") => `ok: ${file}: http 8080; ${count}`;
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
  const options: CheckOptions = {
    load: () =>
      Promise.resolve(
        configOf({ certificate: certificateOf({ notBefore: new Date(0), notAfter: new Date(1) }) }),
      ),
    nameserver: () => nameserverOf(() => ({})),
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

Deno.test("check() looks at nsupdate's key file", async () => {
  const key = `key "k" { algorithm hmac-sha256; secret "${btoa("x".repeat(32))}"; };`;
  const ok = 'ok: nskeyfile: key "k", hmac-sha256, 256 bits';
  const open = await write("open.key", 0o604, key);
  const bad = await write("bad.key", 0o600, "SECRET");
  const gone = `${folder}/gone.key`;
  const table: [string, string[]][] = [
    [await write("closed.key", 0o660, key), [ok]],
    [open, [
      ok,
      `warning: nskeyfile: everybody on this machine can read it: chmod o-r ${open}`,
    ]],
    [bad, [
      `error: nskeyfile: "${bad}": no key in it: expected what tsig-keygen writes, ` +
      'key "NAME" { … };',
    ]],
  ];
  for (const [nskeyfile, expected] of table) {
    const { isGood, lines } = await checked({ nskeyfile });
    assertEquals(lines, [FILE_LINE, ...expected, NSUPDATE_LINE, HOST_LINE]);
    assertEquals(isGood, !expected[0]!.startsWith("error"));
  }
  // It was there when the configuration was read.
  const { lines } = await checked({ nskeyfile: gone });
  const error = `error: nskeyfile: "${gone}": no such file`;
  assertEquals(lines, [FILE_LINE, error, NSUPDATE_LINE, HOST_LINE]);
});

Deno.test("check() without nsupdate is an error, and the hosts are checked all the same", async () => {
  const { isGood, lines } = await checked({}, {
    nsupdateVersion: () => Promise.reject(new Error("nsupdate is missing")),
  });
  assertEquals(lines, [FILE_LINE, "error: nsupdate is missing", HOST_LINE]);
  assertEquals(isGood, false);
});

Deno.test("check() puts hosts with the same trouble in one line, after the good ones", async () => {
  const troubles: Record<string, string> = {
    b: "it says REFUSED",
    c: "no answer in 1 s",
    d: "it says REFUSED",
    e: "it says REFUSED",
    g: "no answer in 1 s",
  };
  const names = [..."abcdefg"].map((label) => `${label}.dyn.example`);
  const table: [Config["nameserver"], string][] = [
    [undefined, "the local nameserver"],
    [{ hostname: "192.0.2.53", port: 53 }, "nameserver 192.0.2.53:53"],
    [{ hostname: "2001:db8::53", port: 5353 }, "nameserver [2001:db8::53]:5353"],
  ];
  for (const [nameserver, text] of table) {
    const { isGood, lines } = await checked(
      { nameserver, clients: clientsOf(names) },
      { says: (name) => troubles[name[0]!] ?? {} },
    );
    assertEquals(lines.slice(2), [
      HOST_LINE,
      HOST_LINE.replace("a.dyn", "f.dyn"),
      `error: b.dyn.example and 2 more hosts: ${text}: it says REFUSED`,
      `error: c.dyn.example and 1 more host: ${text}: no answer in 1 s`,
    ]);
    assertEquals(isGood, false);
  }
  const { lines } = await checked({}, { says: () => "it says NOTAUTH" });
  assertEquals(lines.at(-1), "error: a.dyn.example: the local nameserver: it says NOTAUTH");
});

Deno.test("check() asks for every host once, twenty at a time, and closes the connection", async () => {
  const names = [...Array(45).keys()].map((i) => `h${i}.dyn.example`);
  const log: string[] = [];
  let current = 0, most = 0;
  const nameserver = nameserverOf(() => ({}), log);
  const zone = nameserver.zone.bind(nameserver);
  nameserver.zone = async (name) => {
    most = Math.max(most, ++current);
    try {
      return await zone(name);
    } finally {
      current--;
    }
  };
  const { isGood, lines } = await checked(
    { clients: clientsOf(names, names.slice(10)) },
    { nameserver: () => nameserver },
  );
  assertEquals(log, [...names.map((name) => `zone ${name}`), "close"]);
  assertEquals(lines.slice(2), names.map((name) => HOST_LINE.replace("a.dyn.example", name)));
  assertEquals([isGood, most], [true, 20]);
});

Deno.test("check() asks the nameserver of the configuration", async () => {
  const endpoint = { hostname: "192.0.2.53", port: 53 };
  let asked: unknown;
  await checked({ nameserver: endpoint }, {
    nameserver: (config) => {
      asked = config.nameserver;
      return nameserverOf(() => ({}));
    },
  });
  assertEquals(asked, endpoint);
});
