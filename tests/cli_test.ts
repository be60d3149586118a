import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { DEFAULT_FILE, HELP, parseCommandLine, UsageError } from "../lib/cli.ts";
import type { Overrides } from "../lib/config/config.ts";
import type { Level } from "../lib/log.ts";

function parse(line: string) {
  return parseCommandLine(line === "" ? [] : line.split(" "));
}

Deno.test("parseCommandLine() serves or checks a configuration", () => {
  const table: [string, "serve" | "check", string][] = [
    ["", "serve", "/etc/sftdyn/sftdyn.toml"],
    ["x.toml", "serve", "x.toml"],
    ["./check", "serve", "./check"],
    ["8080", "serve", "8080"],
    ["check", "check", "/etc/sftdyn/sftdyn.toml"],
    ["check x.toml", "check", "x.toml"],
    ["check check", "check", "check"],
    ["-- -x.toml", "serve", "-x.toml"],
    ["check -- --x", "check", "--x"],
  ];
  for (const [line, name, file] of table) {
    assertEquals([line, parse(line)], [line, { name, file, overrides: {}, level: "info" }]);
  }
  assertEquals(DEFAULT_FILE, "/etc/sftdyn/sftdyn.toml");
});

Deno.test("parseCommandLine() takes what overrides the configuration, wherever it stands", () => {
  const table: [string, Overrides][] = [
    ["-l 8080", { http: ["8080"] }],
    ["--http 8080", { http: ["8080"] }],
    ["--http=8080", { http: ["8080"] }],
    ["-l 8080 --http=[::1]:81 -l 0080", { http: ["8080", "[::1]:81", "0080"] }],
    ["-s 4443 --https 127.0.0.1:443", { https: ["4443", "127.0.0.1:443"] }],
    ["-c c.pem -k k.pem", { cert: "c.pem", key: "k.pem" }],
    ["--cert c.pem --key=k.pem --nskeyfile n.key", {
      cert: "c.pem",
      key: "k.pem",
      nskeyfile: "n.key",
    }],
    ["--log json", { log: "json" }],
    ["--log=text", { log: "text" }],
    ["--cert=a=b", { cert: "a=b" }],
    ["--cert=007", { cert: "007" }],
    ["--cert=-x", { cert: "-x" }],
    ["-c a -c b", { cert: "b" }],
  ];
  for (const [options, overrides] of table) {
    for (const line of [`${options} x.toml`, `x.toml ${options}`]) {
      const expected = { name: "serve", file: "x.toml", overrides, level: "info" };
      assertEquals<unknown>([line, parse(line)], [line, expected]);
    }
  }
});

Deno.test("parseCommandLine() counts -v and -q", () => {
  const table: [string, Level][] = [
    ["", "info"],
    ["-v", "debug"],
    ["--verbose", "debug"],
    ["-vv", "debug"],
    ["-q", "warning"],
    ["--quiet", "warning"],
    ["-qq", "error"],
    ["-q --quiet", "error"],
    ["-q -q -q", "error"],
    ["-v -q", "info"],
    ["-q -v", "info"],
    ["-qvq", "warning"],
    ["check -v x.toml", "debug"],
  ];
  for (const [line, level] of table) {
    const command = parse(line);
    assert(command.name === "serve" || command.name === "check");
    assertEquals([line, command.level], [line, level]);
  }
});

Deno.test("parseCommandLine() prints help or version before anything else", () => {
  for (
    const line of [
      "-h",
      "--help",
      "key -h",
      "import -h",
      "x y z --help",
      "check -h",
      "-hV",
      "--http= -h",
    ]
  ) {
    assertEquals([line, parse(line)], [line, { name: "help" }]);
  }
  for (const line of ["-V", "--version", "check --version x.toml"]) {
    assertEquals([line, parse(line)], [line, { name: "version" }]);
  }
});

Deno.test("parseCommandLine() makes a key, for a host or without one", () => {
  const key = {
    name: "key",
    host: "host.dyn.example",
    file: undefined,
    isDigest: false,
    isForDyndns2: false,
  };
  assertEquals<unknown>(parse("key"), { ...key, host: undefined });
  assertEquals<unknown>(parse("key Host.dyn.example."), key);
  assertEquals<unknown>(parse("key host.dyn.example x.toml"), { ...key, file: "x.toml" });
  assertEquals<unknown>(parse("key --digest host.dyn.example"), { ...key, isDigest: true });
  const router = { ...key, isForDyndns2: true };
  assertEquals<unknown>(parse("key --dyndns2"), { ...router, host: undefined });
  for (
    const line of [
      "key --dyndns2 host.dyn.example",
      "--dyndns2 key host.dyn.example",
      "key host.dyn.example --dyndns2",
    ]
  ) {
    assertEquals<unknown>([line, parse(line)], [line, router]);
  }
});

Deno.test("parseCommandLine() imports a file", () => {
  assertEquals<unknown>(parse("import conf.py"), { name: "import", file: "conf.py" });
  assertEquals<unknown>(parse("import -- -x"), { name: "import", file: "-x" });
  assertEquals<unknown>(parse("-v import import"), { name: "import", file: "import" });
});

Deno.test("parseCommandLine() tells of all hosts or of silent ones", () => {
  const status = { name: "status", file: DEFAULT_FILE, stale: undefined, isJson: false };
  const table: [string, object][] = [
    ["status", {}],
    ["status x.toml", { file: "x.toml" }],
    ["status --json", { isJson: true }],
    ["status --stale 1d x.toml", { stale: 86_400_000, file: "x.toml" }],
    ["--stale=30m status --json", { stale: 1_800_000, isJson: true }],
    ["status --stale 1d --stale 2h", { stale: 7_200_000 }],
  ];
  for (const [line, changes] of table) {
    assertEquals<unknown>([line, parse(line)], [line, { ...status, ...changes }]);
  }
});

Deno.test("parseCommandLine() asks why for one host", () => {
  const why = { name: "why", host: "host.dyn.example", file: DEFAULT_FILE };
  assertEquals<unknown>(parse("why Host.dyn.example."), why);
  assertEquals<unknown>(parse("why host.dyn.example x.toml"), { ...why, file: "x.toml" });
  assertEquals<unknown>(parse("why *.dyn.example"), { ...why, host: "*.dyn.example" });
});

Deno.test("parseCommandLine() says what cannot be understood", () => {
  const table: [string, string][] = [
    ["x.toml y.toml", "too many arguments: y.toml"],
    ["check x.toml y.toml z", "too many arguments: y.toml z"],
    ["key a.example x.toml y.toml", "too many arguments: y.toml"],
    ["check --digest", "--digest is for sftdyn key"],
    ["import", "import needs a file, the Python sftdyn's is /etc/sftdyn/conf"],
    ["status x.toml y.toml", "too many arguments: y.toml"],
    ["status --stale", '--stale: "" is not a length of time: write'],
    ["status --stale=0d", '--stale: "0d" is not a length of time: write'],
    ["status --stale 5", '--stale: "5" is not a length of time: write'],
    ["status --digest", "--digest is for sftdyn key"],
    ["--stale 1d", "--stale is for sftdyn status"],
    ["check --json x.toml", "--json is for sftdyn status"],
    ["import --stale 1d x.py", "--stale is for sftdyn status"],
    ["why", "why needs a host: sftdyn why HOST [CONF]"],
    ["why x.toml/y", "not a host name: "],
    ["why a.example x.toml y.toml", "too many arguments: y.toml"],
    ["why --json a.example", "--json is for sftdyn status"],
    ["statsu", 'unknown command "statsu", did you mean "status"?'],
    ["import conf.py sftdyn.toml", "too many arguments: sftdyn.toml"],
    ["key host", "not a host name: "],
    ["key my_host.example", "not a host name: "],
    ["key 1.2.3.4", "not a host name: "],
    [
      "chekc",
      'unknown command "chekc", did you mean "check"? (a configuration of this name: ./chekc)',
    ],
    ["Check x.toml", 'unknown command "Check", did you mean "check"?'],
    ["--dyndns2", "--dyndns2 is for sftdyn key; to serve dyndns2, set dyndns2 = true"],
    ["check --dyndns2", "--dyndns2 is for sftdyn key"],
    ["key --dyndns", "unknown option --dyndns, did you mean --dyndns2?"],
    ["keey a.example", 'unknown command "keey", did you mean "key"?'],
    ["improt conf.py", 'unknown command "improt", did you mean "import"?'],
    ["--htp 8080", "unknown option --htp, did you mean --http?"],
    ["--nskeyfle=x", "unknown option --nskeyfle, did you mean --nskeyfile?"],
    ["--verbos", "unknown option --verbos, did you mean --verbose?"],
    ["--completely-else", "unknown option --completely-else, sftdyn --help lists all"],
    ["-x", "unknown option -x, sftdyn --help lists all"],
    ["-vx", "unknown option -x, sftdyn --help lists all"],
    ["--http.x=1", "unknown option"],
    ["--cert.x=1", "unknown option"],
    ["--__proto__=1", "unknown option"],
    ["-l", "--http needs a value"],
    ["--http", "--http needs a value"],
    ["--http=", "--http needs a value"],
    ["--http 80 --http", "--http needs a value"],
    ["-s", "--https needs a value"],
    ["-c", "--cert needs a value"],
    ["--key", "--key needs a value"],
    ["--nskeyfile=", "--nskeyfile needs a value"],
    ["--log", "--log needs text or json"],
    ["--log=xml", "--log needs text or json"],
  ];
  for (const [line, message] of table) {
    const error = assertThrows(() => parse(line), UsageError);
    assertStringIncludes(error.message, message);
    assertEquals(error.name, "UsageError");
  }
});

Deno.test("parseCommandLine() takes a file for the configuration though a command has nearly its name", () => {
  for (const file of ["./chekc", "chekc.toml", "/chekc", "sftdyn", "config"]) {
    const command = parse(file);
    assert(command.name === "serve");
    assertEquals(command.file, file);
  }
});

Deno.test("parseCommandLine() takes no option for the value of another", () => {
  assertThrows(() => parse("-c -k k.pem"), UsageError);
  assertThrows(() => parse("--http --https 4443"), UsageError);
});

Deno.test("HELP has every option, the default file and an example, in 80 columns", () => {
  for (const name of ["http", "https", "cert", "key", "nskeyfile", "verbose", "quiet", "version"]) {
    assertStringIncludes(HELP, `--${name} `);
  }
  assertStringIncludes(HELP, "--help");
  assertStringIncludes(HELP, DEFAULT_FILE);
  assertStringIncludes(HELP, "Example:\n  $ sftdyn ");
  for (const line of HELP.split("\n")) assert(line.length <= 80 && line === line.trimEnd(), line);
  // The commands of the example are good ones.
  for (const [, line] of HELP.matchAll(/\$ sftdyn (.*?)(?: >>.*)?$/gm)) parse(line!);
});
