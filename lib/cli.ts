/** The command line: options, commands, help. */

import { parseArgs } from "@std/cli/parse-args";
import type { Overrides } from "./config/config.ts";
import { parseDuration } from "./duration.ts";
import { type Hostname, parseHostname } from "./hostname.ts";
import { type Level, LEVELS, LOG_FORMATS } from "./log.ts";
import { closestWord } from "./closest_word.ts";

export type Command =
  | { readonly name: "help" | "version" }
  | {
    readonly name: "serve" | "check";
    readonly file: string;
    readonly overrides: Overrides;
    readonly level: Level;
  }
  | {
    readonly name: "key";
    readonly host: Hostname | undefined;
    /** The configuration that says where the server is; undefined is the usual one, if it can be read. */
    readonly file: string | undefined;
    readonly isDigest: boolean;
    readonly isForDyndns2: boolean;
  }
  | {
    readonly name: "status";
    readonly file: string;
    /** Milliseconds; undefined: all hosts. */
    readonly stale: number | undefined;
    readonly isJson: boolean;
  }
  | { readonly name: "why"; readonly host: Hostname; readonly file: string }
  | { readonly name: "import"; readonly file: string };

/** The command line cannot be understood; the message says why. */
export class UsageError extends Error {
  override name = "UsageError";
}

export const DEFAULT_FILE = "/etc/sftdyn/sftdyn.toml";

export const HELP = `Usage:
  sftdyn [options] [CONF]              serve
  sftdyn check [options] [CONF]        check CONF and all that it needs
  sftdyn key [options] [HOST [CONF]]   make a key, as lines to append to CONF
  sftdyn status [options] [CONF]       tell who calls in, as sftdyn knows it
  sftdyn why HOST [CONF]               tell where a host's update gets stuck
  sftdyn import CONF.py                print the Python sftdyn's as sftdyn.toml

CONF is the configuration, ${DEFAULT_FILE} if not given.

Options (http to log override the configuration):
  -l, --http LISTEN      serve HTTP: PORT, IP4:PORT or [IP6]:PORT (repeatable)
  -s, --https LISTEN     serve HTTPS, likewise (repeatable)
  -c, --cert FILE        the certificate for HTTPS, PEM
  -k, --key FILE         its private key, PEM
      --nskeyfile FILE   the TSIG key for the nameserver
      --log FORMAT       the log as text (default) or as json, an object a line
      --digest           key: only its digest for CONF, the key itself on stderr
      --dyndns2          key: what to type into a router that speaks dyndns2
      --stale TIME       status: only hosts silent for TIME (30m, 12h, 1d)
      --json             status: print it for programs
  -v, --verbose          log more
  -q, --quiet            log less: warnings and errors; twice: errors only
  -V, --version          print the version
  -h, --help             print this

Exit status: 0 done, 1 could not run (check: errors found; status --stale:
silent hosts found, or sftdyn not reached; why: a broken link), 2 bad usage or
configuration.

Example:
  $ sftdyn key host.dyn.example ./sftdyn.toml >> ./sftdyn.toml
  $ sftdyn check ./sftdyn.toml
  $ sftdyn -l 127.0.0.1:8080 ./sftdyn.toml
`;

const COMMANDS = ["check", "key", "status", "why", "import"];
const LISTS = ["http", "https"] as const;
const TEXTS = ["cert", "key", "nskeyfile"] as const;
const OTHERS = ["log", "stale"] as const;
const COUNTS = ["verbose", "quiet"] as const;
const FLAGS = ["digest", "dyndns2", "json", "version", "help"] as const;
const LETTERS = {
  l: "http",
  s: "https",
  c: "cert",
  k: "key",
  v: "verbose",
  q: "quiet",
  V: "version",
  h: "help",
};

/** @throws {UsageError} */
export function parseCommandLine(args: readonly string[]): Command {
  const options: Record<string, unknown> & { _: (string | number)[] } = parseArgs([...args], {
    string: [...LISTS, ...TEXTS, ...OTHERS, "_"],
    boolean: [...COUNTS, ...FLAGS],
    collect: [...LISTS, ...COUNTS],
    alias: LETTERS,
  });
  // Of names like "a.b" and "__proto__" the library makes something else.
  const odd = args.slice(0, args.indexOf("--") >>> 0).flatMap((arg) =>
    /^--([^=]*[^=a-z-][^=]*)/.exec(arg)?.[1] ?? []
  );
  refuseUnknown([...odd, ...Object.keys(options)]);
  if (options.help === true) return { name: "help" };
  if (options.version === true) return { name: "version" };

  const words = options._.map(String);
  const name = isCommand(words[0]) ? words.shift()! : "serve";
  if (name === "serve" && words.length > 0) refuseMistyped(words[0]!);
  const most = name === "key" || name === "why" ? 2 : 1;
  if (words.length > most) {
    throw new UsageError(`too many arguments: ${words.slice(most).join(" ")}`);
  }
  const [word, file] = words;
  const isDigest = options.digest === true, isForDyndns2 = options.dyndns2 === true;
  if (name === "key") {
    if (isDigest && isForDyndns2) {
      throw new UsageError("--digest and --dyndns2 exclude each other");
    }
    const host = word === undefined ? undefined : parseHost(word);
    return { name, host, file, isDigest, isForDyndns2 };
  }
  if (isDigest) throw new UsageError("--digest is for sftdyn key");
  if (isForDyndns2) {
    throw new UsageError(
      "--dyndns2 is for sftdyn key; to serve dyndns2, set dyndns2 = true in the configuration",
    );
  }
  if (name === "status") {
    return {
      name,
      file: word ?? DEFAULT_FILE,
      stale: stale(options),
      isJson: options.json === true,
    };
  }
  for (const option of ["stale", "json"]) {
    if (option in options && options[option] !== false) {
      throw new UsageError(`--${option} is for sftdyn status`);
    }
  }
  if (name === "why") {
    if (word === undefined) throw new UsageError("why needs a host: sftdyn why HOST [CONF]");
    return { name, host: parseHost(word), file: file ?? DEFAULT_FILE };
  }
  if (name === "import") {
    if (word !== undefined) return { name, file: word };
    throw new UsageError("import needs a file, the Python sftdyn's is /etc/sftdyn/conf");
  }
  return {
    name: name === "check" ? "check" : "serve",
    file: word ?? DEFAULT_FILE,
    overrides: overrides(options),
    level: level(options),
  };
}

function isCommand(word: string | undefined): boolean {
  return word !== undefined && COMMANDS.includes(word);
}

/** What is nearly a command is meant as one; a configuration of such a name is written with its folder. */
function refuseMistyped(word: string): void {
  const meant = /[./]/.test(word) ? undefined : closestWord(word.toLowerCase(), COMMANDS);
  if (meant === undefined) return;
  throw new UsageError(
    `unknown command "${word}", did you mean "${meant}"? (a configuration of this name: ./${word})`,
  );
}

function refuseUnknown(names: string[]): void {
  const long = [...LISTS, ...TEXTS, ...OTHERS, ...COUNTS, ...FLAGS];
  const known = [...long, ...Object.keys(LETTERS), "_"];
  for (const name of names) {
    if (known.includes(name)) continue;
    const meant = closestWord(name, long);
    const hint = meant === undefined || name.length === 1
      ? "sftdyn --help lists all"
      : `did you mean --${meant}?`;
    throw new UsageError(`unknown option ${name.length === 1 ? "-" : "--"}${name}, ${hint}`);
  }
}

function overrides(options: Record<string, unknown>): Overrides {
  const found: Record<string, string | string[]> = {};
  for (const name of LISTS) {
    const values = options[name] as string[];
    if (values.includes("")) throw new UsageError(`--${name} needs a value, such as 8080`);
    if (values.length > 0) found[name] = values;
  }
  for (const name of TEXTS) {
    const value = options[name] as string | undefined;
    if (value === "") throw new UsageError(`--${name} needs a value, the path of a file`);
    if (value !== undefined) found[name] = value;
  }
  const format = options.log as string | undefined;
  if (format === undefined) return found;
  const log = LOG_FORMATS.find((known) => known === format);
  if (log === undefined) throw new UsageError("--log needs text or json");
  return { ...found, log };
}

function stale({ stale }: Record<string, unknown>): number | undefined {
  if (stale === undefined) return undefined;
  try {
    return parseDuration(stale as string);
  } catch (error) {
    throw new UsageError(`--stale: ${(error as RangeError).message}`);
  }
}

function level({ verbose, quiet }: Record<string, unknown>): Level {
  const index = LEVELS.indexOf("info") + (verbose as true[]).length - (quiet as true[]).length;
  return LEVELS[Math.max(0, Math.min(index, LEVELS.length - 1))]!;
}

function parseHost(text: string): Hostname {
  try {
    return parseHostname(text);
  } catch (error) {
    throw new UsageError((error as RangeError).message);
  }
}
