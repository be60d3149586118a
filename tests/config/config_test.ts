import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { parseNetwork } from "../../lib/address.ts";
import type { ClientLimits } from "../../lib/client_limits.ts";
import type { Client } from "../../lib/clients.ts";
import { type Config, ConfigError, loadConfig, type Overrides } from "../../lib/config/config.ts";
import { endpointText } from "../../lib/endpoint.ts";
import { parseHostname } from "../../lib/hostname.ts";
import { run } from "../../tools/program.ts";
import { belowFrom } from "../support.ts";

const FILE = "/etc/sftdyn/sftdyn.toml";
/** SHA-256 of "abc" (FIPS 180-4). */
const ABC = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

const NAS = 'hosts = { "nas.dyn.example" = "::1" }';

/** Real certificates and keys, made once: cert, key, otherKey. */
const pem = { cert: "", key: "", otherKey: "" };
let folder: string;

Deno.test.beforeAll(async () => {
  folder = await Deno.makeTempDir();
  for (const name of ["a", "b"]) {
    const line = `req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30 ` +
      `-keyout ${name}.key -out ${name}.pem -subj /CN=x -addext subjectAltName=DNS:dyn.example`;
    const { code, stderr } = await run(["openssl", ...line.split(" ")], { cwd: folder });
    assert(code === 0, `openssl ${line}: ${stderr}`);
  }
  pem.cert = await Deno.readTextFile(`${folder}/a.pem`);
  pem.key = await Deno.readTextFile(`${folder}/a.key`);
  pem.otherKey = await Deno.readTextFile(`${folder}/b.key`);
});

Deno.test.afterAll(() => Deno.remove(folder, { recursive: true }));

/** Loads a configuration of this text, beside files of these texts. */
function load(
  text: string,
  overrides: Overrides = {},
  files: Record<string, string> = {},
): Promise<Config> {
  const all = new Map(Object.entries({ [FILE]: text, ...files }));
  const readFile = (path: string) => {
    const found = all.get(path);
    return found === undefined
      ? Promise.reject(new Deno.errors.NotFound(path))
      : Promise.resolve(new TextEncoder().encode(found));
  };
  return loadConfig(FILE, overrides, { readFile, cwd: () => "/somewhere" });
}

/** The faults of a configuration, or none. */
async function faultsOf(...args: Parameters<typeof load>): Promise<readonly string[]> {
  try {
    await load(...args);
    return [];
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    assertEquals(error.message, error.faults.join("\n"));
    return error.faults;
  }
}

/** Checks rows of a text, the one line that is wrong in it, and what the fault says. */
async function checkFaults(table: [text: string, line: number, said: RegExp][]): Promise<void> {
  const wrong = [];
  for (const [text, line, said] of table) {
    const faults = await faultsOf(text);
    const start = `${FILE}: line ${line}: `;
    const isRight = faults.length === 1 && faults[0]!.startsWith(start) && said.test(faults[0]!);
    if (!isRight) wrong.push({ text, expected: `${start}${said}`, faults });
  }
  assertEquals(wrong, []);
}

/** A good configuration with a client for these lines. */
function withClients(lines: string): string {
  return `http = "8080"\n[clients]\n${lines}\n`;
}

function plain(client: Client | undefined): [string, number][] | undefined {
  return client?.hosts.map(({ name, ttl }) => [name, ttl]);
}

Deno.test("loadConfig() reads every setting", async () => {
  const config = await load(
    `
http = "8080"
https = ["127.0.0.1:4443", "[::1]:4443"]
cert = "fullchain.pem"
key = "/tls/privkey.pem"
nskeyfile = "keys/sftdyn.key"
nameserver = "ns1.dyn.example:5353"
ttl = 60
timeout = 2.5
min_interval = 0.5
recheck = 60
max_connections = 500
trusted_proxies = ["127.0.0.1", "10.0.0.0/8", "2001:db8::/32"]
proxy_header = "x-real-ip"
hooks = "my hooks.js"
log = "json"

[clients]
"example-key-of-one" = "Host.dyn.example."
"?hostname=a&password=b" = ["a.dyn.example", "b.dyn.example"]
"sha256:${ABC.toUpperCase()}" = { host = "c.dyn.example", ttl = 300 }
'two hosts with a TTL' = { ttl = 0, host = ["d.dyn.example", "a.dyn.example"] }
[clients."a.dotted.key.of.mine"]
host = "e.dyn.example"
`,
    {},
    {
      "/etc/sftdyn/fullchain.pem": pem.cert,
      "/tls/privkey.pem": pem.key,
      "/etc/sftdyn/keys/sftdyn.key": "",
      "/etc/sftdyn/my hooks.js": "",
    },
  );
  const { clients, certificate, trustedProxies, zones, ttlOf, ownersOf, ...rest } = config;
  assertEquals(zones.all, []);
  assertEquals(rest, {
    file: FILE,
    http: [{ hostname: undefined, port: 8080 }],
    https: [{ hostname: "127.0.0.1", port: 4443 }, { hostname: "::1", port: 4443 }],
    nameserver: {
      endpoint: { hostname: "ns1.dyn.example", port: 5353 },
      keyFile: "/etc/sftdyn/keys/sftdyn.key",
    },
    timeout: 2500,
    minInterval: 500,
    recheck: 60_000,
    maxConnections: 500,
    log: "json",
    proxyHeader: "X-Real-IP",
    dyndns2: undefined,
    status: undefined,
    withdrawal: undefined,
    clientFiles: undefined,
    hooks: "/etc/sftdyn/my hooks.js",
    shortKeys: [],
    urlKeys: [],
    plainKeys: true,
    prefixClients: [],
  });
  assertEquals([certificate?.cert, certificate?.key], [pem.cert, pem.key]);
  assertEquals(
    trustedProxies.map(({ address, bits }) => `${address.text}/${bits}`),
    ["127.0.0.1/32", "10.0.0.0/8", "2001:db8::/32"],
  );
  assertEquals(plain(clients.find("example-key-of-one")), [["host.dyn.example", 60]]);
  assertEquals(plain(clients.find("?hostname=a&password=b")), [
    ["a.dyn.example", 60],
    ["b.dyn.example", 60],
  ]);
  assertEquals(plain(clients.find("abc")), [["c.dyn.example", 300]]);
  assertEquals(plain(clients.find("two%20hosts%20with%20a%20TTL")), [
    ["d.dyn.example", 0],
    ["a.dyn.example", 0],
  ]);
  assertEquals(plain(clients.find("a.dotted.key.of.mine")), [["e.dyn.example", 60]]);
  assertEquals(clients.size, 5);
  assertEquals(ttlOf(parseHostname("x.dyn.example")), 60);
  assertEquals(ownersOf(parseHostname("unknown.dyn.example")), []);
});

Deno.test("loadConfig() names hooks that cannot be read, with their line", async () => {
  assertEquals(await faultsOf('http = "8080"\nhooks = "hooks.js"'), [
    `${FILE}: line 2: hooks: cannot read "/etc/sftdyn/hooks.js": no such file`,
  ]);
  assertEquals(await faultsOf('http = "8080"\nhooks = 1'), [
    `${FILE}: line 2: hooks: expected a string in quotes, got a number`,
  ]);
  assertEquals(await faultsOf('http = "8080"\nhook = "hooks.js"'), [
    `${FILE}: line 2: unknown name, did you mean "hooks"?`,
  ]);
});

Deno.test("loadConfig() takes a number for a port", async () => {
  const { http } = await load("http = 8080");
  assertEquals(http.map(endpointText), ["8080"]);
  const list = await load('http = [ 8080, "[::1]:81", 0x50, 1_024 ]');
  assertEquals(list.http.map(endpointText), ["8080", "[::1]:81", "80", "1024"]);
});

Deno.test("loadConfig() has a default for all but where to listen", async () => {
  const { clients, zones, ttlOf, ownersOf, ...rest } = await load('http = "8080"');
  assertEquals(ttlOf(parseHostname("a.dyn.example")), 30);
  assertEquals(ownersOf(parseHostname("a.dyn.example")), []);
  assertEquals(zones.all, []);
  assertEquals(rest, {
    file: FILE,
    http: [{ hostname: undefined, port: 8080 }],
    https: [],
    certificate: undefined,
    nameserver: { endpoint: undefined, keyFile: undefined },
    timeout: 10_000,
    minInterval: 5000,
    recheck: 300_000,
    maxConnections: 1000,
    trustedProxies: [],
    proxyHeader: "X-Forwarded-For",
    dyndns2: undefined,
    status: undefined,
    withdrawal: undefined,
    clientFiles: undefined,
    hooks: undefined,
    log: "text",
    shortKeys: [],
    urlKeys: [],
    plainKeys: false,
    prefixClients: [],
  });
  assertEquals(clients.size, 0);
  const { clients: one } = await load(withClients('"abc" = "a.dyn.example"'));
  assertEquals(plain(one.find("abc")), [["a.dyn.example", 30]]);
  assertEquals(await faultsOf("# nothing"), [
    `${FILE}: nothing to listen on: set http = "8080", or https, or both`,
  ]);
});

Deno.test("loadConfig() takes the least and the most of every number", async () => {
  for (
    const line of [
      "ttl = 0",
      "ttl = 2147483647",
      "timeout = 1",
      "timeout = 300",
      "min_interval = 0",
      "min_interval = 3600",
      "recheck = 0",
      "recheck = 604800",
      "max_connections = 10",
      "max_connections = 20000",
    ]
  ) {
    assertEquals([line, await faultsOf(`http = "1"\n${line}`)], [line, []]);
  }
});

Deno.test("loadConfig() refuses every wrong type and impossible value", async () => {
  const values: [name: string, value: string, said: RegExp][] = [
    ["min_interval", "-1", /expected a number from 0 to 3600, got -1/],
    ["min_interval", '"5"', /expected a number from 0 to 3600, got a string/],
    ["recheck", "604801", /expected a number from 0 to 604800/],
    ["max_connections", "9", /expected a whole number from 10 to 20000, got 9/],
    ["max_connections", "10.5", /expected a whole number from 10 to 20000, got 10.5/],
    ["max_connections", "20001", /expected a whole number from 10 to 20000/],
    ["recheck", "true", /expected a number from 0 to 604800, got true/],
    ["nameserver", "53", /in quotes, got a number/],
    ["nameserver", '["127.0.0.1"]', /in quotes, got a list/],
    ["nameserver", '""', /empty/],
    ["nameserver", '"ns1"', /not a host name/],
    ["nameserver", '"127.0.0.1:0"', /1 to 65535/],
    ["nameserver", '"127.0.0.1:53:53"', /HOST:PORT/],
    ["nskeyfile", "true", /in quotes, got true/],
    ["nskeyfile", "{ a = 1 }", /in quotes, got a table/],
    ["nskeyfile", '""', /empty/],
    ["nskeyfile", '"none.key"', /cannot read "\/etc\/sftdyn\/none\.key": no such file/],
    ["ttl", '"30"', /whole number from 0 to 2147483647, got a string/],
    ["ttl", "-1", /whole number/],
    ["ttl", "1.5", /whole number.*got 1\.5/],
    ["ttl", "2147483648", /whole number/],
    ["ttl", "nan", /whole number/],
    ["ttl", "inf", /whole number/],
    ["ttl", "[30]", /whole number.*got a list/],
    ["ttl", "false", /whole number.*got false/],
    ["ttl", "2026-11-05", /whole number.*got a date/],
    ["ttl", "{ a = 1 }", /whole number.*got a table/],
    ["timeout", "0", /number from 1 to 300, got 0/],
    ["timeout", "0.99", /number from 1 to 300/],
    ["timeout", "301", /number from 1 to 300/],
    ["timeout", "nan", /number from 1 to 300/],
    ["timeout", '"10s"', /number from 1 to 300, got a string/],
    ["trusted_proxies", '"127.0.0.1"', /list like .*, got a string/],
    ["trusted_proxies", "[1]", /CIDRs like .*, got a number/],
    ["trusted_proxies", '["10.0.0.0/33"]', /CIDRs like .*, got "10\.0\.0\.0\/33"/],
    ["trusted_proxies", '["::1", "proxy.example"]', /CIDRs like .*, got "proxy\.example"/],
    ["proxy_header", "1", /in quotes, got a number/],
    ["proxy_header", '""', /empty/],
    [
      "proxy_header",
      '"Forwarded-For"',
      /expected one of "X-Forwarded-For", "X-Real-IP", "Forwarded", got "Forwarded-For"/,
    ],
    ["clients", '"a.dyn.example"', /expected a table/],
    ["clients", "[]", /expected a table/],
  ];
  await checkFaults(values.map(([name, value, said]) => [
    `http = "8080"\n\n${name} = ${value}\n`,
    3,
    new RegExp(`: line 3: ${name}: .*${said.source}`),
  ]));
  const listens: [value: string, said: RegExp][] = [
    ["80.5", /"PORT".*got "80\.5"/],
    ["-1", /"PORT".*got "-1"/],
    ["0", /0 is no port: expected 1 to 65535/],
    ["65536", /1 to 65535/],
    ["[8080, 8080]", /"8080" is listed twice/],
    ['["8080", 8080]', /"8080" is listed twice/],
    ["true", /expected a port, like 8080, got true/],
    ["{ a = 1 }", /got a table/],
    ["[]", /empty/],
    ['""', /"PORT"/],
    ['"0"', /1 to 65535/],
    ['"65536"', /1 to 65535/],
    ['"localhost:80"', /IP4:PORT/],
    ['"::1:80"', /\[IP6\]:PORT/],
    ['["8080", ["8081"]]', /got a list/],
    ['["8080", "8080"]', /"8080" is listed twice/],
    ['["[::1]:80", "[0:0::1]:80"]', /"\[::1\]:80" is listed twice/],
  ];
  await checkFaults(
    listens.map(([value, said]) => [`\nhttp = ${value}`, 2, new RegExp(`http: .*${said.source}`)]),
  );
});

Deno.test("loadConfig() wants cert and key with https, together, readable and a pair", async () => {
  const files = { "/etc/sftdyn/c.pem": pem.cert, "/etc/sftdyn/k.pem": pem.key, "/o": pem.otherKey };
  const table: [string, RegExp[]][] = [
    ['https = "1"', [/line 1: https: it needs cert and key/]],
    ['http = "1"\ncert = "c.pem"', [/line 2: cert: key is missing/]],
    ['http = "1"\nkey = "k.pem"', [/line 2: key: cert is missing/]],
    ['https = "1"\ncert = "c.pem"', [/line 2: cert: key is missing/]],
    ['https = "1"\ncert = 1\nkey = "k.pem"', [/line 2: cert: .*got a number/]],
    ['https = "1"\ncert = "c.pem"\nkey = ""', [/line 3: key: it is empty/]],
    ['https = "1"\ncert = "x.pem"\nkey = "k.pem"', [
      /line 2: cert: cannot read "\/etc\/sftdyn\/x\.pem": no such file/,
    ]],
    ['https = "1"\ncert = "c.pem"\nkey = "x.pem"', [/line 3: key: cannot read/]],
    ['https = "1"\nkey = "/o"\ncert = "c.pem"', [/line 2: key: "\/o" is not the key of/]],
    ['https = "1"\ncert = "k.pem"\nkey = "k.pem"', [/line 2: cert: .*no certificate/]],
    ['https = "1"\ncert = "c.pem"\nkey = "c.pem"', [/line 3: key: .*no unencrypted private key/]],
    ['http = "1"\ncert = "c.pem"\nkey = "/o"', [/line 3: key: /]],
    ['http = "1"\nhttps = "1"\ncert = "c.pem"\nkey = "k.pem"', [
      /line 2: https: "1" is listed twice/,
    ]],
    ['https = "1"\ncert = "c.pem"\nkey = "k.pem"', []],
  ];
  for (const [text, said] of table) {
    const faults = await faultsOf(text, {}, files);
    assertEquals([text, faults.length, faults], [text, said.length, faults]);
    for (const [i, fault] of faults.entries()) assertMatch(fault, said[i]!);
  }
});

Deno.test("loadConfig() says how the log may be", async () => {
  await checkFaults([
    ['http = "1"\nlog = "JSON"', 2, /log: expected "text" or "json"$/],
    ['http = "1"\nlog = true', 2, /log: expected a string in quotes, got true$/],
  ]);
});

Deno.test("loadConfig() knows which name was meant", async () => {
  const meant = (name: string) => new RegExp(`unknown name, did you mean "${name}"\\?$`);
  await checkFaults([
    ['http = "1"\nhtpp = "1"', 2, meant("http")],
    ['http = "1"\nhttp_s = "1"', 2, meant("https")],
    ['http = "1"\nnskeyfle = "x"', 2, meant("nskeyfile")],
    ['http = "1"\ntrusted_proxy = []', 2, meant("trusted_proxies")],
    ['http = "1"\nproxyheader = "x"', 2, meant("proxy_header")],
    ['http = "1"\ntime_out = 1', 2, meant("timeout")],
    ['http = "1"\n\n[client]\n"abc" = "a.dyn.example"', 3, meant("clients")],
    ['http = "1"\nlisten = "1"', 2, /unknown name: expected one of http, https, .*clients/],
    [
      'http = "1"\n"4bea92410b3146d0cfe" = "a.dyn.example"',
      2,
      /unknown name: .*keys belong under \[clients\]/,
    ],
    [`http = "1"\n"${"x".repeat(300)}" = "a.dyn.example"`, 2, /keys belong under \[clients\]/],
  ]);
});

Deno.test("loadConfig() refuses impossible hosts and clients", async () => {
  const hosts: [string, RegExp][] = [
    ["a.dyn.example\\nserver evil", /letters, digits/],
    [";", /letters, digits/],
    ["$INCLUDE", /letters, digits/],
    ["a".repeat(256), /at most 253 are allowed/],
    ["a..dyn.example", /two dots/],
    [".dyn.example", /two dots/],
    ["", /empty/],
    ["bücher.example", /xn--/],
    ["host", /zone/],
    ["1.2.3.4", /number/],
    ["my_host.example", /letters, digits/],
    ["a.*.example", /"\*" can only be the whole first label/],
    ["*a.example", /"\*" can only be/],
    ["*", /zone/],
    ["_.dyn.example", /letters, digits/],
    ["__a.dyn.example", /letters, digits/],
    ["-a.example", /letters, digits/],
  ];
  const prefixes: [string, RegExp][] = [
    ['"::1"', /expected \{ length = 64, hosts = .* got a string/],
    ["64", /expected .* got a number/],
    ['["::1"]', /expected .* got a list/],
    [`{ ${NAS} }`, /length is missing: expected/],
    ["{ length = 64 }", /hosts is missing: expected/],
    [`{ length = "64", ${NAS} }`, /length: expected a whole number from 1 to 128, got a string/],
    [`{ length = 0, ${NAS} }`, /length: .*from 1 to 128, got 0/],
    [`{ length = 129, ${NAS} }`, /length: .*from 1 to 128, got 129/],
    [`{ length = 64.5, ${NAS} }`, /length: .*got 64.5/],
    [`{ length = 64, ${NAS}, ttl = 5 }`, /expected .* and nothing else in it/],
    ["{ length = 64, hosts = {} }", /hosts: expected .* got an empty table/],
    ['{ length = 64, hosts = "nas.dyn.example" }', /hosts: expected .* got a string/],
    ['{ length = 64, hosts = ["nas.dyn.example"] }', /hosts: expected .* got a list/],
    [
      '{ length = 64, hosts = { nas.dyn.example = "::1" } }',
      /hosts, number 1: a name with a dot needs quotes/,
    ],
    ...hosts.filter(([host]) => !host.includes("\\")).map(([host, said]): [string, RegExp] => [
      `{ length = 64, hosts = { "${host}" = "::1" } }`,
      new RegExp(`hosts, number 1: .*${said.source}`),
    ]),
    [
      '{ length = 64, hosts = { "nas.dyn.example" = 1 } }',
      /hosts, number 1: expected "HOST" = .*got a number/,
    ],
    [
      '{ length = 64, hosts = { "nas.dyn.example" = "1" } }',
      /hosts, number 1: expected an interface id/,
    ],
    [
      '{ length = 64, hosts = { "nas.dyn.example" = "::1/64" } }',
      /hosts, number 1: expected an interface id/,
    ],
    [
      '{ length = 64, hosts = { "nas.dyn.example" = "192.0.2.1" } }',
      /hosts, number 1: expected an interface id/,
    ],
    [
      '{ length = 64, hosts = { "nas.dyn.example" = "eui64:1" } }',
      /hosts, number 1: expected an interface id/,
    ],
    [
      '{ length = 64, hosts = { "nas.dyn.example" = "::1:0:0:0:1" } }',
      /hosts, number 1: the interface id has bits among the first 64, which the prefix has: leave/,
    ],
    ['{ length = 128, hosts = { "nas.dyn.example" = "::1" } }', /hosts, number 1: .* first 128/],
    [
      '{ length = 65, hosts = { "n.dyn.example" = "eui64:80-00-00-00-00-01" } }',
      /hosts, number 1: .* first 65/,
    ],
    [
      '{ length = 64, hosts = { "nas.dyn.example" = "::1", "NAS.dyn.example." = "::2" } }',
      /hosts, number 2: this host is listed twice/,
    ],
    [
      '{ length = 64, hosts = { "A.dyn.example" = "::1" } }',
      /hosts, number 1: .* is one of the client's own as well/,
    ],
  ];
  const clients: [string, RegExp][] = [
    ...hosts.flatMap(([host, said]): [string, RegExp][] => [
      [`"abc" = "${host}"`, said],
      [`"abc" = ["a.dyn.example", "${host}"]`, said],
      [`"abc" = { host = "${host}" }`, said],
    ]),
    ['"abc" = 5', /got a number/],
    ['"abc" = true', /got true/],
    ['"abc" = []', /empty/],
    ['"abc" = [["a.dyn.example"]]', /got a list/],
    ['"abc" = [{ host = "a.dyn.example" }]', /got a table/],
    ['"abc" = ["a.dyn.example", 5]', /got a number/],
    ['"abc" = ["a.dyn.example", "A.dyn.example."]', /a host is listed twice/],
    ['"abc" = {}', /host is missing/],
    ['"abc" = { ttl = 5 }', /host is missing/],
    ['"abc" = { host = 5 }', /got a number/],
    ['"abc" = { host = [] }', /empty/],
    ['"abc" = { host = { host = "a.dyn.example" } }', /got a table/],
    ['"abc" = { host = "a.dyn.example", ttl = "5" }', /ttl: .*got a string/],
    ['"abc" = { host = "a.dyn.example", ttl = -1 }', /ttl: .*from 0 to 2147483647/],
    ['"abc" = { host = "a.dyn.example", ttl = 2147483648 }', /ttl: /],
    ['"abc" = { host = "a.dyn.example", tll = 5 }', /expected \{ host/],
    ['"abc" = { host = "a.dyn.example", networks = "10.0.0.0/8" }', /networks: .*got a string/],
    ['"abc" = { host = "a.dyn.example", networks = [] }', /networks: the list is empty/],
    ['"abc" = { host = "a.dyn.example", networks = [5] }', /networks: .*CIDRs.*got a number/],
    ['"abc" = { host = "a.dyn.example", networks = ["10.0.0.0/33"] }', /networks: .*CIDRs/],
    ['"abc" = { host = "a.dyn.example", networks = ["::1", "x"] }', /networks: .*another string/],
    ['"abc" = { host = "a.dyn.example", families = "ipv4" }', /families: .*got a string/],
    ['"abc" = { host = "a.dyn.example", families = [] }', /families: the list is empty/],
    ['"abc" = { host = "a.dyn.example", families = [4] }', /families: .*got a number/],
    ['"abc" = { host = "a.dyn.example", families = ["IPv4"] }', /expected \["ipv4"\], \["ipv6"\]/],
    [
      '"abc" = { host = "a.dyn.example", private = "no" }',
      /private: expected true or false, got a/,
    ],
    ['"abc" = { host = "a.dyn.example", private = 0 }', /private: expected true or false/],
    ['"abc" = { host = "a.dyn.example", address = "Request" }', /address: expected .* another/],
    ['"abc" = { host = "a.dyn.example", address = true }', /address: expected .*, got true/],
    ['"abc" = { networks = ["::1"] }', /host is missing/],
    ...prefixes.map(([prefix, said]): [string, RegExp] => [
      `"abc" = { host = "a.dyn.example", prefix = ${prefix} }`,
      new RegExp(`prefix: ${said.source}`),
    ]),
    [
      `"abc" = { host = "a.dyn.example", families = ["ipv4"], prefix = { length = 64, ${NAS} } }`,
      /prefix: the client's families have no ipv6/,
    ],
    [`"abc" = { prefix = { length = 64, ${NAS} } }`, /host is missing/],
    ['abc.def = "a.dyn.example"', /a key with a dot needs quotes/],
    ['"" = "a.dyn.example"', /the key is empty/],
    ['"?" = "a.dyn.example"', /the key is empty/],
    ['"/abc" = "a.dyn.example"', /without the slash/],
    ['"sha256:" = "a.dyn.example"', /64 hex digits/],
    [`"sha256:${ABC.slice(1)}" = "a.dyn.example"`, /64 hex digits/],
    [`"sha256:${ABC}0" = "a.dyn.example"`, /64 hex digits/],
    [`"sha256:g${ABC.slice(1)}" = "a.dyn.example"`, /64 hex digits/],
  ];
  await checkFaults(clients.map(([line, said]) => {
    return [withClients(line), 3, new RegExp(`: line 3: clients: .*${said.source}`)];
  }));
});

Deno.test("loadConfig() reads what a client may do, if something narrows it down", async () => {
  const table: [settings: string, limits: ClientLimits | undefined][] = [
    ["", undefined],
    ["ttl = 5", undefined],
    ["private = true", undefined],
    ['families = ["ipv4", "ipv6"]', undefined],
    ['families = ["ipv6", "ipv4", "ipv6"]', undefined],
    ["private = false", { isPublicOnly: true }],
    ['families = ["ipv4"]', { family: 4 }],
    ['families = ["ipv6"], private = true', { family: 6, isPublicOnly: false }],
    ['networks = ["203.0.113.0/24", "2001:db8::1"]', {
      networks: ["203.0.113.0/24", "2001:db8::1/128"].map((text) => parseNetwork(text)!),
    }],
  ];
  const lines = table.map(([settings], i) =>
    `key${i} = { host = "h${i}.dyn.example"${settings === "" ? "" : `, ${settings}`} }`
  );
  const last = '[clients."a.b"]\nhost = "a.dyn.example"\nfamilies = ["ipv4"]\nprivate = false';
  const { clients } = await load(withClients(`${lines.join("\n")}\nplain = "a.b"\n${last}`));
  for (const [i, [settings, limits]] of table.entries()) {
    const client = clients.find(`key${i}`);
    assertEquals([settings, client?.limits], [settings, limits]);
    assertEquals(client?.hosts[0]?.name as string, `h${i}.dyn.example`);
  }
  assertEquals(clients.find("plain")?.limits, undefined);
  assertEquals(clients.find("a.b")?.limits, { family: 4, isPublicOnly: true });
});

Deno.test("loadConfig() reads the hosts behind a client's router", async () => {
  const inline = `"k1" = { host = "a.dyn.example", ttl = 7, address = "request", prefix = ` +
    '{ length = 56, hosts = { "nas.dyn.example" = "::5:0:0:0:42", ' +
    '"*.nas.dyn.example" = "eui64:52:54:00:12:34:56" } } }';
  const tables = `[clients.k2]
host = "b.dyn.example"
networks = ["::/0"]
[clients.k2.prefix]
length = 64
[clients.k2.prefix.hosts]
"NAS.dyn.example." = "::1"`;
  const { clients, prefixClients } = await load(
    `http = "8080"\nttl = 9\n[clients]\n${inline}\nk3 = "c.dyn.example"\n${tables}\n`,
  );
  const ofHost = ({ name, ttl, id }: { name: string; ttl: number; id: readonly number[] }) =>
    `${name} ${ttl} ${id.map((part) => part.toString(16)).join(":")}`;
  const found = ["k1", "k2", "k3"].map((key) => {
    const { prefix } = clients.find(key)!;
    return prefix && [prefix.length, ...prefix.hosts.map(ofHost)];
  });
  assertEquals(found, [
    [
      56,
      "nas.dyn.example 7 0:0:0:5:0:0:0:42",
      "*.nas.dyn.example 7 0:0:0:0:5054:ff:fe12:3456",
    ],
    [64, "nas.dyn.example 9 0:0:0:0:0:0:0:1"],
    undefined,
  ]);
  assertEquals(prefixClients.map(({ line, address }) => [line, address]), [
    [4, "request"],
    [6, undefined],
  ]);
});

Deno.test("loadConfig() refuses two clients with one key", async () => {
  const one = '"abc" = "a.dyn.example"';
  await checkFaults([
    [withClients(`${one}\n\n"abc" = "b.dyn.example"`), 5, /already in line 3/],
    [withClients(`${one}\nabc = "b.dyn.example"`), 4, /already in line 3/],
    [withClients(`${one}\n"sha256:${ABC}" = "b.dyn.example"`), 4, /already in line 3/],
    [
      withClients(`"sha256:${ABC.toUpperCase()}" = "b.dyn.example"\n${one}`),
      4,
      /already in line 3/,
    ],
    [
      withClients(`"sha256:${ABC.toUpperCase()}" = "b.dyn.example"\n"sha256:${ABC}" = "b.c"`),
      4,
      /already in line 3/,
    ],
    [
      withClients('"abc" = { host = "a.dyn.example" }\n"abc" = { ttl = 60 }'),
      4,
      /already in line 3/,
    ],
    [
      withClients(
        '"abc" = { host = "a.dyn.example", ttl = 60 }\n"abc" = { host = "a.dyn.example" }',
      ),
      4,
      /already in line 3/,
    ],
    [withClients(`${one}\n[clients.abc]\nhost = "b.dyn.example"`), 4, /line 3/],
  ]);
  // One host of two clients is no fault.
  assertEquals(await faultsOf(withClients('"a" = "a.dyn.example"\n"b" = "a.dyn.example"')), []);
});

Deno.test("loadConfig() says where the syntax is wrong", async () => {
  await checkFaults([
    ['http = "8080"\nttl 30', 2, /expected NAME = VALUE/],
    ['http = "8080"\ncert = c.pem', 2, /string needs quotes/],
    [withClients("?hostname=a&password=b = 'a.dyn.example'"), 3, /put it in quotes/],
    [withClients("abc = a.dyn.example"), 3, /string needs quotes/],
    ['http = "8080"\nhttp = "8081"', 2, /already in line 1/],
    ['http = "8080"\n[clients]\n[clients]', 3, /already in line 2/],
    ['http = "8080"\n[[clients]]\nabc = "a.dyn.example"', 2, /lists of tables/],
  ]);
});

Deno.test("loadConfig() tells all faults at once, in the order of their lines", async () => {
  const faults = await faultsOf(
    `ttl = "30"
htpps = "4443"

timeout = 0
cert = "none.pem"
nskeyfile = "none.key"
trusted_proxies = [
  "10.0.0.0/33",
  "::1",
  5,
]
key = x
[clients]
"abc" = "host"
"abd" = ["a_b.example", 5]
"sha256:${ABC}" = "a.dyn.example"
"x" = { host = "-", ttl = 1.5 }
`,
    { http: ["x"] },
  );
  assertEquals(faults.map((fault) => /^(?:\S+: )?line (\d+)|^--\w+/.exec(fault)?.[1] ?? fault[0]), [
    ...["-", "1", "2", "4", "5", "6", "7", "7", "12", "14", "15", "15", "16", "17", "17"],
  ]);
  assertMatch(faults[0]!, /^--http: expected "PORT"/);
});

Deno.test("loadConfig() puts what is wrong with the whole file last", async () => {
  const faults = await faultsOf('ttl = -1\n[clients]\n"abc" = "host"');
  assertEquals(faults.length, 3);
  assertMatch(faults[2]!, /^\/etc\/sftdyn\/sftdyn\.toml: nothing to listen on/);
});

Deno.test("loadConfig() lets the command line win over the file", async () => {
  const text = `http = "8080"
https = "4443"
cert = "none.pem"
key = "none.key"
nskeyfile = "none.key"`;
  const overrides = {
    http: ["81", "127.0.0.1:82"],
    https: ["[::1]:83"],
    cert: "c.pem",
    key: "/k.pem",
    nskeyfile: "./n.key",
  };
  // What stands on the command line is relative to where it was typed.
  const files = { "c.pem": pem.cert, "/k.pem": pem.key, "./n.key": "" };
  const config = await load(text, overrides, files);
  assertEquals(config.http.map(endpointText), ["81", "127.0.0.1:82"]);
  assertEquals(config.https.map(endpointText), ["[::1]:83"]);
  assertEquals(config.certificate?.cert, pem.cert);
  assertEquals(config.nameserver.keyFile, "/somewhere/./n.key");

  const mixed = await load('https = "1"\nkey = "k.pem"', { cert: "c.pem" }, {
    "c.pem": pem.cert,
    "/etc/sftdyn/k.pem": pem.key,
  });
  assertEquals(mixed.certificate?.key, pem.key);
  assertEquals((await load("", { http: ["80"] })).http.map(endpointText), ["80"]);
});

Deno.test("loadConfig() names the option when the command line is wrong", async () => {
  const good = 'http = "8080"';
  const table: [string, Overrides, RegExp][] = [
    [good, { http: ["x"] }, /^--http: expected "PORT".*got "x"$/],
    [good, { http: ["80", "80"] }, /^--http: "80" is listed twice$/],
    [good, { https: ["8080"], cert: "c", key: "k" }, /^--https: "8080" is listed twice$/],
    [good, { https: ["4443"] }, /^--https: it needs cert and key/],
    [good, { cert: "c" }, /^--cert: key is missing/],
    [good, { key: "k" }, /^--key: cert is missing/],
    [good, { cert: "none", key: "k" }, /^--cert: cannot read "none": no such file$/],
    [good, { nskeyfile: "none" }, /^--nskeyfile: cannot read "none": no such file$/],
  ];
  for (const [text, overrides, said] of table) {
    const faults = await faultsOf(text, overrides, { c: pem.cert, k: pem.key });
    assertEquals([overrides, faults.length], [overrides, 1]);
    assertMatch(faults[0]!, said);
  }
});

Deno.test("loadConfig() refuses a file that it cannot read or that is no text", async () => {
  const error = await assertRejects(() => loadConfig(`${folder}/none.toml`), ConfigError);
  assertEquals([error.name, error.faults], ["ConfigError", [`${folder}/none.toml: no such file`]]);
  assertEquals(await faultsOf('http = "1"\n\0'), [
    `${FILE}: not a text file: byte 0x00 in line 2`,
  ]);
});

Deno.test("loadConfig() reads real files, relative to its own", async () => {
  const file = `${folder}/sftdyn.toml`;
  await Deno.writeTextFile(file, 'https = "1"\ncert = "a.pem"\nkey = "./a.key"\n');
  assertEquals((await loadConfig(file)).certificate?.names, "DNS:dyn.example");
  await Deno.writeTextFile(file, 'https = "1"\ncert = "a.pem"\nkey = "b.key"\n');
  const { faults } = await assertRejects(() => loadConfig(file), ConfigError);
  assertEquals(faults, [
    `${file}: line 3: key: "${folder}/b.key" is not the key of "${folder}/a.pem"`,
  ]);
});

Deno.test("loadConfig() notes keys that are short, and keys that stand there themselves", async () => {
  const table: [string, number[], boolean][] = [
    [`"sha256:${ABC}" = "a.dyn.example"`, [], false],
    ['"fifteen-letters" = "a.dyn.example"', [3], true],
    ['"sixteen--letters" = "a.dyn.example"', [], true],
    ['"éééééééééééééééé" = "a.dyn.example"', [], true],
    ['"😀😀😀😀😀😀😀😀" = "a.dyn.example"\n\n"b" = "a.dyn.example"', [3, 5], true],
  ];
  for (const [lines, short, isPlain] of table) {
    const { shortKeys, plainKeys } = await load(withClients(lines));
    assertEquals([lines, shortKeys, plainKeys], [lines, short, isPlain]);
  }
});

// The keys and hosts of these tests hold "qqq", which no fault may repeat.
const KEY = "qqq4bea92410b3146d0cfe";
const HOST = "qqqhost.dyn.example";

Deno.test("loadConfig() never repeats a client's key or host", async () => {
  const lines = [
    `${KEY} = ${HOST}`,
    `"${KEY}" = ${HOST}`,
    `"${KEY}" = '${HOST}`,
    `"${KEY} = "${HOST}"`,
    `${KEY}`,
    `${KEY}: "${HOST}"`,
    `"${KEY}"`,
    `"${KEY}" =`,
    `= "${HOST}"`,
    `"${HOST}" = "${KEY}"`,
    `"${HOST}" = ["${KEY}", "${KEY}"]`,
    `"${HOST}" = { host = "${KEY}" }`,
    `"${KEY}" = "${HOST}" "${HOST}"`,
    `"${KEY}" = "${HOST}\\q"`,
    `"${KEY}" = ["${HOST}", ${HOST}]`,
    `"${KEY}" = ["${HOST}"`,
    `"${KEY}" = ["${HOST}", "${HOST}"]`,
    `"${KEY}" = { host = ${HOST} }`,
    `"${KEY}" = { host = "${HOST}", ${KEY} = 1 }`,
    `"${KEY}" = { ttl = "${KEY}" }`,
    `"${KEY}" = { host = "${HOST}", ttl = "${KEY}" }`,
    `"${KEY}" = { host = "${HOST}", networks = ["${KEY}"], families = ["${KEY}"] }`,
    `"${KEY}" = { host = "${HOST}", private = "${KEY}" }`,
    `"${KEY}" = { host = "${HOST}", address = "${KEY}" }`,
    `"${KEY}" = { host = "${HOST}", prefix = "${KEY}" }`,
    `"${KEY}" = { host = "${HOST}", prefix = { "${KEY}" = 64 } }`,
    `"${KEY}" = { host = "${HOST}", prefix = { length = "${KEY}", hosts = "${KEY}" } }`,
    `"${KEY}" = { host = "${HOST}", prefix = { length = 64, hosts = { "${KEY}" = "::1" } } }`,
    `"${KEY}" = { host = "a.${HOST}", prefix = { length = 64, hosts = { "${HOST}" = "${KEY}" } } }`,
    `"${KEY}" = "${HOST}:53"`,
    `"${KEY}" = "${HOST}\\nserver evil"`,
    `"${KEY}" = "qqqhost"`,
    `"${KEY}" = "qqq${"q".repeat(300)}.example"`,
    `"${KEY}" = "bücher.${HOST}"`,
    `"/${KEY}" = "${HOST}"`,
    `"sha256:${KEY}" = "${HOST}"`,
    `"${KEY}" = "${HOST}"\n"${KEY}" = "${HOST}"`,
    `qqq.${KEY} = "${HOST}"`,
    `?hostname=${HOST}&password=${KEY} = "${HOST}"`,
    `[${KEY}`,
    `[${KEY}]\nhost = "${HOST}"`,
    `[[${KEY}]]`,
    `["${KEY}" = "${HOST}"`,
    `"""${KEY}" = "${HOST}"`,
  ];
  for (const line of lines) {
    for (const text of [withClients(line), `${line}\nhttp = "1"`, `[client]\n${line}`, line]) {
      const faults = await faultsOf(text);
      assert(faults.length > 0, `no fault in ${text}`);
      for (const fault of faults) assert(!fault.includes("qqq"), `${text} gives ${fault}`);
    }
  }
});

Deno.test("loadConfig() has a Config or faults without secrets for any text", async () => {
  const seed = Date.now() >>> 0;
  const below = belowFrom(seed);
  const good = `ttl = 30\nhttp = "8080"\n[clients]\n"${KEY}" = "${HOST}"\n` +
    `"x${KEY}" = ["a${HOST}", '${HOST}']\n"y${KEY}" = { host = "${HOST}", ttl = 5 }\n` +
    `"z${KEY}" = { host = "z${HOST}", prefix = { length = 64, hosts = { "n${HOST}" = "::1" } } }\n`;
  const odd = ['"', "'", "[", "]", "{", "}", "=", "#", "\n", "\\", ".", ",", "\0", "é", "/", "?"];
  for (let i = 0; i < 1500; i++) {
    let text = good;
    for (let edits = below(3); edits >= 0; edits--) {
      const at = below(text.length + 1);
      text = text.slice(0, at) + (below(3) ? odd[below(odd.length)] : "") +
        text.slice(at + below(3));
    }
    const label = `seed ${seed}: ${JSON.stringify(text)}`;
    const lines = text.split("\n").length;
    for (const fault of await faultsOf(text)) {
      assert(!fault.includes("qqq"), `${label}: ${fault}`);
      const line = /^\S+: line (\d+): /.exec(fault)?.[1];
      assert(line === undefined || Number(line) <= lines, `${label}: ${fault}`);
    }
  }
});

const withZones = (zones: string, more = "") => `http = "8080"\nttl = 40\n${more}\n${zones}`;

Deno.test("loadConfig() gives each zone its nameserver, key and ttl, or those above", async () => {
  const text = `http = "8080"
nameserver = "192.0.2.53"
nskeyfile = "n.key"
ttl = 40
[zones."Dyn.sft.mx."]
nameserver = "ns1.sft.mx:5353"
nskeyfile = "/etc/other.key"
ttl = 60
[zones."deep.dyn.sft.mx"]
[zones."example"]
ttl = 0
[clients]
"one" = ["dyn.sft.mx", "a.dyn.sft.mx", "a.deep.dyn.sft.mx", "notdyn.sft.mx", "a.example"]
"two" = { host = "b.dyn.sft.mx", ttl = 5 }
`;
  const files = { "/etc/sftdyn/n.key": "", "/etc/other.key": "" };
  const { zones, nameserver, clients } = await load(text, {}, files);
  const above = { endpoint: { hostname: "192.0.2.53", port: 53 }, keyFile: "/etc/sftdyn/n.key" };
  assertEquals(nameserver, above);
  assertEquals<unknown>(zones.all, [
    {
      name: "dyn.sft.mx",
      nameserver: { endpoint: { hostname: "ns1.sft.mx", port: 5353 }, keyFile: "/etc/other.key" },
      ttl: 60,
    },
    { name: "deep.dyn.sft.mx", nameserver: above, ttl: 40 },
    { name: "example", nameserver: above, ttl: 0 },
  ]);
  assertEquals(plain(clients.find("one")), [
    ["dyn.sft.mx", 60],
    ["a.dyn.sft.mx", 60],
    ["a.deep.dyn.sft.mx", 40],
    ["notdyn.sft.mx", 40],
    ["a.example", 0],
  ]);
  assertEquals(plain(clients.find("two")), [["b.dyn.sft.mx", 5]]);
  const { zones: inline } = await load(withZones('zones = { "dyn.sft.mx" = { ttl = 9 } }'));
  assertEquals(inline.all.map(({ name, ttl }) => [name as string, ttl]), [["dyn.sft.mx", 9]]);
  const { zones: typed } = await load(withZones('[zones."dyn.sft.mx"]'), { nskeyfile: "/k" }, {
    "/k": "",
  });
  assertEquals(typed.all[0]!.nameserver.keyFile, "/k");
});

Deno.test("loadConfig() says what is wrong with a zone", async () => {
  await checkFaults([
    [withZones('zones = "dyn.example"'), 4, /zones: expected a table: \[zones\."dyn\.example"\]/],
    [
      withZones('[zones]\n"dyn.example" = "ns"'),
      5,
      /zones: expected \{ nameserver/,
    ],
    [
      withZones("[zones.dyn.sft.mx]"),
      4,
      /put the zone's name in quotes: \[zones\."dyn\.example"\]/,
    ],
    [withZones("[zones.dyn.sft.mx]\nttl = 5"), 4, /put the zone's name in quotes/],
    [withZones('[zones."*.dyn.example"]'), 4, /not a zone name: .*"\*"/],
    [withZones('[zones."a b"]'), 4, /zones: not a zone name/],
    [withZones('[zones."a.example"]\n[zones."A.example."]'), 5, /already in line 4/],
    [
      withZones('[zones."a.example"]\ntll = 5'),
      5,
      /zones: unknown name, did you mean "ttl"/,
    ],
    [withZones('[zones."a.example"]\ncert = "x"'), 5, /expected one of nameserver, nskeyfile, ttl/],
    [withZones('[zones."a.example"]\nttl = "5"'), 5, /zones: ttl: expected a whole number/],
    [withZones('[zones."a.example"]\nnameserver = 5'), 5, /nameserver: expected a string/],
    [withZones('[zones."a.example"]\nnameserver = "x:y:z"'), 5, /nameserver: expected "HOST"/],
    [
      withZones('[zones."a.example"]\nnskeyfile = "x"'),
      5,
      /cannot read "\/etc\/sftdyn\/x": no such/,
    ],
  ]);
});

Deno.test("loadConfig() repeats no key that is listed under [zones] by mistake", async () => {
  const key = "4bea92410b3146d0cfe4bea92410b314";
  for (const client of ['"a.dyn.example"', '{ host = "a.dyn.example" }', '{ ttl = "x" }', "[]"]) {
    const faults = await faultsOf(withZones(`[zones]\n"${key}" = ${client}`));
    assert(faults.length > 0 && !faults.join().includes(key), faults.join());
  }
});

Deno.test("loadConfig() asks whether key and host are swapped, where the key is a host", async () => {
  const key = "4bea92410b3146d0cfe4bea92410b314";
  const swapped = [`"${key}"`, `["${key}", "a.dyn.example"]`, `{ host = "${key}" }`];
  for (const value of swapped) {
    const [fault] = await faultsOf(withClients(`"home.dyn.example" = ${value}`));
    assertMatch(fault!, /line 3: clients: not a host name: .*; are key and host swapped\?$/);
    assert(!fault!.includes(key), fault);
  }
  const [other] = await faultsOf(withClients('"key" = "nothost"'));
  assert(!other!.includes("swapped"), other);
});

Deno.test("loadConfig() says of a setting under [clients] where it belongs", async () => {
  await checkFaults([
    [withClients('https = "4443"'), 3, /clients: https belongs above \[clients\]$/],
    [withClients("ttl = 5"), 3, /clients: ttl belongs above/],
    [withClients('"key" = "a.dyn.example"'), 3, /clients: key belongs above/],
  ]);
});

Deno.test("loadConfig() notes keys that look like a whole URL", async () => {
  const { urlKeys, shortKeys, clients } = await load(
    withClients('"https://dyn.example:4443/abc" = "a.dyn.example"\n"httpx" = "b.dyn.example"'),
  );
  assertEquals([urlKeys, shortKeys, clients.size], [[3], [4], 2]);
});

Deno.test("loadConfig() tells the first hundred faults, and how many more there are", async () => {
  const fewer = await faultsOf(withClients("x\n".repeat(100)));
  assertEquals(fewer.length, 100);
  for (const [count, more] of [[101, "1 more fault"], [4000, "3900 more faults"]] as const) {
    const text = withClients("x\n".repeat(count));
    const error = await assertRejects(() => load(text), ConfigError);
    assertEquals(error.count, count);
    assertEquals([error.faults.length, error.faults[100]], [101, `${FILE}: and ${more}`]);
    assertMatch(error.faults[99]!, /: line 102: /);
  }
  // Those that are found last may be in the first lines.
  const [first] = await faultsOf(`ttl = -1\n${withClients("x\n".repeat(4000))}`);
  assertMatch(first!, /: line 1: ttl/);
});

Deno.test("loadConfig() reads a client's plain line as it reads any other", async () => {
  const lines = [
    `"abc" = "a.dyn.example"`,
    `"abc" = [ "a.dyn.example" , "b.dyn.example", ] # a comment`,
    `  abc = "A.dyn.example." \r`,
    `"é#[=" = ["a.dyn.example"]`,
    `"ttl" = "a.dyn.example"`,
    `"abc" = ["a.dyn.example", "a.dyn.example"]`,
    `"abc" = "a.dyn.example" b`,
    `"a\\u0062c" = "a.dyn.example"`,
    `"abc" = "1.2.3.4"`,
  ];
  // After a client with a table of its own, each line is read as TOML.
  const other = '[clients.other]\nhost = "o.dyn.example"\n';
  const outcome = async (text: string) => {
    const faults = await faultsOf(text);
    if (faults.length > 0) return faults.map((fault) => fault.replace(/line \d+/, "line"));
    const { clients } = await load(text);
    return ["abc", "é#[="].map((key) => plain(clients.find(key)));
  };
  for (const line of lines) {
    const alone = await outcome(`http = "1"\n[clients]\n${line}\n`);
    const beside = await outcome(`http = "1"\n${other}[clients]\n${line}\n`);
    assertEquals([line, alone], [line, beside]);
  }
});

Deno.test("loadConfig() reads which clients may name addresses", async () => {
  const { clients } = await load(
    withClients(`"both" = { host = "a.dyn.example", address = "request", families = ["ipv4"] }
"request" = { host = "a.dyn.example", address = "request" }
"connection" = { host = "a.dyn.example", address = "connection" }
"plain" = "a.dyn.example"`),
  );
  assertEquals(clients.find("both")?.limits, { family: 4 });
  for (const key of ["both", "request"]) assertEquals(clients.find(key)?.address, "request", key);
  for (const key of ["connection", "plain"]) {
    assertEquals(clients.find(key)?.address, undefined, key);
  }
});

Deno.test("loadConfig() reads where dyndns2 is spoken", async () => {
  const table: [value: string, paths: string[] | undefined][] = [
    ["false", undefined],
    ["true", ["/nic/update", "/v3/update"]],
    ['{ paths = ["/update"] }', ["/update"]],
    ['{ paths = ["/nic/update", "/dyn/dns/set.php"] }', ["/nic/update", "/dyn/dns/set.php"]],
  ];
  for (const [value, paths] of table) {
    const { dyndns2 } = await load(`http = "8080"\ndyndns2 = ${value}`);
    assertEquals([value, dyndns2?.paths], [value, paths]);
  }
  const faults: [value: string, said: RegExp][] = [
    ['"true"', /expected true, false or \{ paths = .*got a string/],
    ["1", /got a number/],
    ["[]", /got a list/],
    ["{}", /got another table/],
    ["{ paths = [] }", /got another table/],
    ['{ paths = "/nic/update" }', /got another table/],
    ['{ path = ["/nic/update"] }', /got another table/],
    ['{ paths = ["/nic/update"], port = 1 }', /got another table/],
    ["{ paths = [1] }", /got a number in it/],
    ['{ paths = ["nic/update"] }', /"nic\/update" is no path/],
    ['{ paths = ["/"] }', /is no path/],
    ['{ paths = ["/nic//update"] }', /is no path/],
    ['{ paths = ["/nic/update/"] }', /is no path/],
    ['{ paths = ["/nic/update?"] }', /is no path/],
    ['{ paths = ["/nic update"] }', /is no path/],
    ['{ paths = ["/\u00fc"] }', /is no path/],
  ];
  for (const [value, said] of faults) {
    const [line, ...more] = await faultsOf(`http = "8080"\ndyndns2 = ${value}`);
    assertEquals(more, []);
    assertMatch(line!, new RegExp(`: line 2: dyndns2: .*${said.source}`));
  }
});

Deno.test("loadConfig() reads after which silence hosts lose their addresses", async () => {
  const HOUR = 3_600_000, DAY = 24 * HOUR;
  const ofClients = '"1" = { host = "a.dyn.example", withdraw_after = "2h" }\n' +
    '"2" = { host = "b.dyn.example", withdraw_after = "never", families = ["ipv4"] }\n' +
    '"3" = { host = "c.dyn.example", withdraw_after = "8w", ' +
    'prefix = { length = 64, hosts = { "d.dyn.example" = "::1" } } }\n"4" = "e.dyn.example"';
  const table: [settings: string, after: number, ofClients: boolean, least: number][] = [
    ['withdraw_after = "30d"', 30 * DAY, false, 30 * DAY],
    ['withdraw_after = "1h"', HOUR, true, HOUR],
    ["", Infinity, true, 2 * HOUR],
  ];
  for (const [settings, after, isOfClients, least] of table) {
    const text = `http = "1"\n${settings}\n[clients]\n${isOfClients ? ofClients : ""}`;
    assertEquals([settings, (await load(text)).withdrawal], [settings, { after, least }]);
  }
  for (const settings of ["", 'withdraw_after = "never"']) {
    assertEquals((await load(`http = "1"\n${settings}`)).withdrawal, undefined);
  }
  const { clients } = await load(withClients(ofClients));
  assertEquals(
    [...clients.all()].map(({ name, family, withdrawAfter }) => [name[0], family, withdrawAfter]),
    [
      ["a", undefined, 2 * HOUR],
      ["b", 4, Infinity],
      ["c", undefined, 56 * DAY],
      ["d", 6, 56 * DAY],
      ["e", undefined, undefined],
    ],
  );
  assertEquals(clients.hosts().some((host) => "withdrawAfter" in host), false);
  const faults: [value: string, said: RegExp][] = [
    ["30", /expected a length of time like .*, or "never", got a number/],
    ["false", /or "never", got false/],
    ['"30"', /or "never", got another string/],
    ['"0d"', /got another string/],
    ['"59m"', /it would take addresses away between two calls: expected 1h or more/],
  ];
  for (const [value, said] of faults) {
    const places: [text: string, place: string][] = [
      [`http = "1"\nwithdraw_after = ${value}`, "line 2: "],
      [withClients(`"1" = { host = "a.dyn.example", withdraw_after = ${value} }`), "clients: "],
    ];
    for (const [text, place] of places) {
      const [line, ...more] = await faultsOf(text);
      assertEquals(more, []);
      assertMatch(line!, new RegExp(`${place}withdraw_after: .*${said.source}$`));
    }
  }
});

Deno.test("loadConfig() reads where the status is told, and to whom", async () => {
  const { status: plain } = await load('http = "8080"\nstatus = "127.0.0.1:9053"');
  assertEquals(plain, {
    endpoints: [{ hostname: "127.0.0.1", port: 9053 }],
    networks: [],
    metricsHosts: 10_000,
  });
  const { status } = await load(
    'http = "8080"\nstatus = ["[::1]:1", 9053]\nstatus_networks = ["192.0.2.0/24"]\nmetrics_hosts = 0',
  );
  assertEquals(status?.endpoints.map(endpointText), ["[::1]:1", "9053"]);
  assertEquals([status?.networks, status?.metricsHosts], [[parseNetwork("192.0.2.0/24")], 0]);
  const table: [settings: string, ...said: RegExp[]][] = [
    [
      'status = "9053"',
      /"9053" is every interface: .*status_networks.* listen on "127.0.0.1:9053"$/,
    ],
    ['status = "0.0.0.0:9053"', /"0.0.0.0:9053" can be reached by others: set status_networks/],
    ['status = ["127.0.0.1:1", "[2001:db8::1]:1"]', /"\[2001:db8::1\]:1" can be reached by others/],
    ['status = "9053"\nstatus_networks = []', /"9053" is every interface/],
    ["status = true", /expected an address and a port, like "127.0.0.1:9053", got true/],
    ["status = []", /the list is empty/],
    ['status = "localhost:9053"', /expected "PORT"/],
    [
      'status = "127.0.0.1:8080"',
      /"127.0.0.1:8080" needs a port of its own: "8080" is listed, too/,
    ],
    ['status = ["127.0.0.1:1", "127.0.0.1:1"]', /needs a port of its own: "127.0.0.1:1" is/],
  ];
  for (const [settings, ...said] of table) {
    const faults = await faultsOf(`http = "8080"\n${settings}`);
    assertEquals(faults.length, said.length, `${settings}: ${faults}`);
    for (const [i, pattern] of said.entries()) {
      assertMatch(faults[i]!, new RegExp(`: line 2: status: .*${pattern.source}`));
    }
  }
  for (const settings of ['status_networks = "192.0.2.0/24"', "metrics_hosts = -1"]) {
    const [name] = settings.split(" ");
    assertMatch(
      `${await faultsOf(`http = "8080"\n${settings}`)}`,
      new RegExp(`line 2: ${name}: e`),
    );
  }
});
