import { assertEquals, assertMatch, assertRejects, assertStringIncludes } from "@std/assert";
import { type Config, loadConfig, type Overrides } from "../../lib/config/config.ts";
import { endpointText } from "../../lib/endpoint.ts";
import { ImportError, importPython } from "../../lib/python/to_toml.ts";
import { run } from "../../tools/program.ts";
import { belowFrom } from "../support.ts";

const FILE = "/etc/sftdyn/conf";

/** The sftdyn.toml of a Python configuration with this text. */
function toml(text: string | Uint8Array): Promise<string> {
  const octets = typeof text === "string" ? new TextEncoder().encode(text) : text;
  return importPython(FILE, () => Promise.resolve(octets));
}

/** What sftdyn itself reads in it; every other file holds the same. */
async function load(text: string, overrides: Overrides = {}, others = ""): Promise<Config> {
  const read = (path: string) => new TextEncoder().encode(path === "x.toml" ? text : others);
  return await loadConfig("x.toml", overrides, {
    readFile: (path) => Promise.resolve(read(path)),
    cwd: () => "/etc/sftdyn",
  });
}

/** Its comments with a line of the Python file, and those settings that it says to make. */
function comments(text: string): string[] {
  return text.split("\n").filter((line) => /^# line |^#http/.test(line))
    .map((line) => line.replace(/^# line /, ""));
}

function hostsOf(config: Config, key: string): string[] | undefined {
  return config.clients.find(key)?.hosts.map(({ name }) => name);
}

Deno.test("importPython() makes of a configuration like the sample's one that sftdyn takes", async () => {
  const text = await toml(`
# Where to listen.
http = 8080
#https = "4443"
nskeyfile = "/etc/bind/keys/sftdyn.key"
verbose = True

CLIENTS = {
    "example": "host.dyn.sft.mx",
    '?hostname=myclient.dyn.sft.mx&password=123456': ('myclient.dyn.sft.mx', "www.myclient.dyn.sft.mx"),
    "host=gnampf.dyn.sft.mx,key=4bea92410b3146d0cfe": "gnampf.dyn.sft.mx",
}

def get_ip(source_ip, headers, key):
    """Custom "address"."""
    return source_ip

def get_host(querystring, ip):
    return CLIENTS.get(querystring)

def nsupdatecommands(host, new_ip, headers):
    import ipaddress
    return ["update delete %s A" % host, "send"]
`);
  assertEquals(
    text,
    `# sftdyn's configuration, made by \`sftdyn import\` from "/etc/sftdyn/conf".
# Nothing of that was run: what it computes is in comments, with its line there.
# \`sftdyn check\` says whether updates work with this.

http = "8080"
nskeyfile = "/etc/bind/keys/sftdyn.key"
# line 6: verbose is now -v on the command line (in the unit: ExecStart=)
# line 14: get_ip is not taken: for a reverse proxy, set trusted_proxies and proxy_header; for anything else, write getIp in hooks = "hooks.js"
# line 18: get_host is not taken: a look-up in CLIENTS is what [clients] does; for a file of such lines, set clients_file; for anything else, write getHost in hooks = "hooks.js"
# line 21: nsupdatecommands is not taken: for another TTL, set ttl; for other records, write nsupdateCommands in hooks = "hooks.js"

[clients]
"example" = "host.dyn.sft.mx"
"?hostname=myclient.dyn.sft.mx&password=123456" = ["myclient.dyn.sft.mx", "www.myclient.dyn.sft.mx"]
"host=gnampf.dyn.sft.mx,key=4bea92410b3146d0cfe" = "gnampf.dyn.sft.mx"
`,
  );
  const config = await load(text);
  assertEquals(config.http.map(endpointText), ["8080"]);
  assertEquals(config.nameserver.keyFile, "/etc/bind/keys/sftdyn.key");
  assertEquals(config.clients.size, 3);
  assertEquals(hostsOf(config, "example"), ["host.dyn.sft.mx"]);
  assertEquals(hostsOf(config, "?hostname=myclient.dyn.sft.mx&password=123456"), [
    "myclient.dyn.sft.mx",
    "www.myclient.dyn.sft.mx",
  ]);
  assertEquals(hostsOf(config, "host=gnampf.dyn.sft.mx,key=4bea92410b3146d0cfe"), [
    "gnampf.dyn.sft.mx",
  ]);
});

Deno.test("importPython() keeps a certificate, and says of relative paths to what", async () => {
  const text = await toml(
    `https = "127.0.0.1:4443"\ncert = "tls/server.crt"\nkey = "/tls/server.key"\nnskeyfile = "ns.key"\n`,
  );
  assertStringIncludes(
    text,
    `\nhttps = "127.0.0.1:4443"\ncert = "tls/server.crt"\nkey = "/tls/server.key"\nnskeyfile = "ns.key"\n`,
  );
  assertEquals(comments(text), [
    "2: cert is relative to the folder of this file",
    "4: nskeyfile is relative to the folder of this file; it was relative to the folder where the program was started",
  ]);
  const folder = await Deno.makeTempDir();
  try {
    const line = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30 " +
      "-keyout both.pem -out both.pem -subj /CN=x -addext subjectAltName=DNS:dyn.example";
    const { code, stderr } = await run(["openssl", ...line.split(" ")], { cwd: folder });
    assertEquals(code, 0, stderr);
    const pem = await Deno.readTextFile(`${folder}/both.pem`);
    const config = await load(text, {}, pem);
    assertEquals(config.https.map(endpointText), ["127.0.0.1:4443"]);
    assertEquals(config.certificate?.cert, pem);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("importPython() leaves out, and says why, what sftdyn would refuse", async () => {
  const table: [text: string, said: string[]][] = [
    ["", ['#http = "8080"']],
    ["http = '0'", ['#http = "8080"', "1: http is not taken: 0 is no port: expected 1 to 65535"]],
    ["http = 'localhost:80'", [
      '#http = "8080"',
      '1: http is not taken: expected "PORT", "IP4:PORT" or "[IP6]:PORT", got "localhost:80"',
    ]],
    ["http = 1\nhttps = '4443'", ['2: https = "4443" is not taken: set cert and key beside it']],
    ["https = '4443'\ncert = 'a'", [
      '#http = "8080"',
      '1: https = "4443" is not taken: set cert and key beside it',
      "2: cert is not taken: set key beside it",
    ]],
    ["http = 1\nkey = '/a'", ["2: key is not taken: set cert beside it"]],
    ["http = 1\nnskeyfile = '\\0'", ["2: nskeyfile is not taken: not the path of a file"]],
    ["http = 1\nnskeyfile = '\\ud800'", ["2: nskeyfile is not taken: not the path of a file"]],
    ["http = 1\nclients = {'': 'a.example'}", ["2: this client is not taken: its key is empty"]],
    ["http = 1\nclients = {'?': 'a.example'}", ["2: this client is not taken: its key is empty"]],
    ["http = 1\nclients = {'/a': 'a.example'}", [
      "2: this client is not taken: no request has a key with a slash in front",
    ]],
    ["http = 1\nclients = {'\\udfff': 'a.example'}", [
      "2: this client is not taken: no request has such a key",
    ]],
    ["http = 1\nclients = {'a': []}", ["2: a client without a host is not taken"]],
    ["http = 1\nclients = {'a': ''}", ["2: a host is not taken: not a host name: it is empty"]],
    ["http = 1\nclients = {'a': 'host'}", [
      '2: a host is not taken: not a host name: write it with its zone, such as "host.dyn.example"',
    ]],
    ["http = 1\nclients = {'a': 'a.example\\nsend'}", [
      "2: a host is not taken: not a host name: its labels may hold letters, digits, " +
      "inner hyphens and an underscore at the start",
    ]],
    ["http = 1\nclients = {'a': f(x)}", [
      "2: this client is not taken: expected a key and a host, or hosts, in quotes",
    ]],
    ["http = 1\nclients = {'a': 'a.example',\n'a': 'b.example'}", [
      "2: this client is not taken: its key is in line 3 again, which counts",
    ]],
    ["http = f(x)", ['#http = "8080"', "1: http is not taken: it is computed; write it here"]],
    ["http = 1\nif x:\n http = 2", [
      '2: "if" is not taken',
      "3: http is not taken: whether it is set here is computed; write it here",
    ]],
    ["http = 1\nCLIENTS = load()", [
      "2: CLIENTS is not taken: expected a dictionary of strings; " +
      'for a file of "key: host" lines, set clients_file',
    ]],
    ["http = 1\nCLIENTS['a'] = 'b'", ["2: a change of CLIENTS is not taken: write it here"]],
    ["http = 1\nquiet = debug = 1", [
      "2: quiet is now -q on the command line (in the unit: ExecStart=)",
      "2: debug was for Python's asyncio; -v on the command line logs more",
    ]],
    ["http = 1\nimport os\nX = os\nH = {}\nprint(1)\n x\nclass A: pass", [
      "2: an import is not taken",
      "3: the variable X is not taken: sftdyn has no such setting",
      "4: the dictionary H is not taken: if it has the clients, call it CLIENTS and import again",
      "5: a statement is not taken",
      "6: this is not taken: it is indented, and belongs to nothing",
      '7: "class" is not taken',
    ]],
  ];
  for (const [text, said] of table) {
    const made = await toml(text);
    assertEquals([text, comments(made)], [text, said]);
    const config = await load(made, made.includes("\n#http") ? { http: ["8080"] } : {});
    assertEquals([text, config.clients.size], [text, made.includes("b.example") ? 1 : 0]);
  }
});

Deno.test("importPython() takes of several hosts those that are ones, each once", async () => {
  const text = await toml(`http = 1
CLIENTS = {'a': ['B.example.', 'b.example', 'bad', '*.b.example', '_c.b.example']}`);
  assertStringIncludes(text, '"a" = ["b.example", "*.b.example", "_c.b.example"]');
  assertEquals(comments(text).length, 1);
  assertEquals((await load(text)).clients.size, 1);
});

Deno.test("importPython() does not let https be where http is", async () => {
  const text = await toml("http = 8080\nhttps = '08080'\ncert = '/c'\nkey = '/k'");
  assertEquals(comments(text), ["2: https is not taken: http is at the same port"]);
});

Deno.test("importPython() keeps every key what it is, whatever it looks like", async () => {
  const keys = [
    "http",
    "clients",
    "ttl",
    "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "SHA256:x",
    'a"b\\c',
    "a=b # c",
    "[x]",
    " ",
    "\x00\x01\x1f\x7f\x80\u2028\ufeff\ufffd",
    "\t\r\n\b\f",
    "é€😀",
    "'''",
    "__proto__",
    "a.b",
    "%61",
  ];
  const entries = keys.map((key, i) => `${pythonString(key)}: "h${i}.example"`);
  const text = await toml(`http = 1\nCLIENTS = {${entries.join(",\n")}}`);
  const config = await load(text);
  for (const [i, key] of keys.entries()) {
    assertEquals([key, hostsOf(config, key)], [key, [`h${i}.example`]]);
  }
  assertEquals(config.clients.size, keys.length);
  assertEquals(comments(text).map((line) => line.replace(/:.*/, "")), ["2", "3", "4", "5", "6"]);
});

/** A literal of Python for this text. */
function pythonString(text: string): string {
  return `"${
    Array.from(text, (character) => `\\U${character.codePointAt(0)!.toString(16).padStart(8, "0")}`)
      .join("")
  }"`;
}

Deno.test("importPython() makes something that sftdyn takes of whatever it takes itself", async () => {
  const below = belowFrom(7);
  const pieces = [
    ...['"', "'", '"""', "'''", "\\", "\n", "\n", "\n  ", " ", "#", "{", "}", "[", "]", "(", ")"],
    ...[",", ":", "=", ";", "CLIENTS = {", "http = ", "https = ", "cert = ", "key = ", "quiet = "],
    ...['"a"', "'b.example'", '"c.example"', '"a": "b.example", ', "8080", "None", "def get_ip():"],
    ...["if x:", "import x", "nskeyfile = ", "é", "\x80", "\u2028", "r", "f", "b", "\\x41", "$"],
  ];
  let taken = 0;
  for (let i = 0; i < 3000; i++) {
    const text = Array.from({ length: 1 + below(30) }, () => pieces[below(pieces.length)]).join("");
    let made;
    try {
      made = await toml(text);
    } catch (error) {
      if (!(error instanceof ImportError)) throw error;
      assertMatch(error.message, /^\/etc\/sftdyn\/conf: line \d+: /);
      continue;
    }
    taken++;
    // A certificate that is not there is not what this is about.
    const withoutFiles = made.replace(/^(https|cert|key) = .*/gm, "");
    await load(withoutFiles, { http: ["8080"] });
  }
  assertEquals(taken > 300, true, `${taken}`);
});

Deno.test("importPython() says what it cannot read, with file and line, and no key", async () => {
  const KEY = "4a41c3a8c4b4e58d";
  const table: [text: string | Uint8Array, message: string][] = [
    [`CLIENTS = {\n"${KEY}: "h.example",\n}`, `2: a string .*: expected "$`],
    [`CLIENTS = {\n"${KEY}": "h.example"\n`, "1: a bracket that is opened here is not closed$"],
    [`CLIENTS = {\n"${KEY}": '''h.example}`, `2: a string .*: expected '''$`],
  ];
  for (const [text, message] of table) {
    const error = await assertRejects(() => toml(text), ImportError);
    assertMatch(error.message, new RegExp(`^${FILE}: line ${message}`));
    assertEquals(error.message.includes(KEY), false);
  }
  const latin = new Uint8Array([...new TextEncoder().encode(`http = 1\n# ${KEY}`), 0xe9, 0x0a]);
  const binary = await assertRejects(() => toml(latin), ImportError);
  assertEquals(binary.message, `${FILE}: not a text file: line 2 is not UTF-8`);
  const nul = await assertRejects(() => toml("http = 1\n\0"), ImportError);
  assertEquals(nul.message, `${FILE}: not a text file: byte 0x00 in line 2`);
});

Deno.test("importPython() reads real files, but none that is too large", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const file = `${folder}/conf`;
    const missing = await assertRejects(() => importPython(file), ImportError);
    assertEquals(missing.message, `${file}: no such file`);
    await assertRejects(() => importPython(folder), ImportError, "it is a directory");
    await Deno.writeTextFile(file, "http = 1");
    assertStringIncludes(await importPython(file), '\nhttp = "1"\n');
    await Deno.truncate(file, 2 ** 25 + 1);
    const large = await assertRejects(() => importPython(file), ImportError);
    assertEquals(large.message, `${file}: it is too large: expected at most 33554432 bytes`);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
