/** A configuration of the Python program as sftdyn.toml, for `sftdyn import`. */

import { digest } from "../clients.ts";
import { NAMES } from "../config/config.ts";
import { count } from "../count.ts";
import { endpointText, parseListen } from "../endpoint.ts";
import { errorMessage } from "../error_message.ts";
import { FileError, readAtMost, type ReadFile, readText } from "../file.ts";
import { type Hostname, parseHostname } from "../hostname.ts";
import {
  type FlagName,
  type FunctionName,
  type PythonConf,
  readPythonConf,
  type Remark,
  type SettingName,
} from "./conf.ts";
import { PythonError } from "./scanner.ts";

/** The file cannot be read as a configuration; the message says why, with file and line, and holds no key. */
export class ImportError extends Error {
  override name = "ImportError";
}

/** Octets: a hundred thousand clients and more. */
const MAX_SIZE = 32 * 2 ** 20;

/**
 * The text of a sftdyn.toml that says what a configuration of the Python program
 * does. Nothing in it is run; what cannot be told without is in comments.
 *
 * @throws {ImportError}
 */
export async function importPython(
  file: string,
  readFile: ReadFile = readAtMost(MAX_SIZE),
): Promise<string> {
  try {
    return toToml(file, readPythonConf(await readText(file, readFile)));
  } catch (error) {
    if (error instanceof FileError) throw new ImportError(`${file}: ${error.message}`);
    if (!(error instanceof PythonError)) throw error;
    throw new ImportError(`${file}: line ${error.line}: ${error.message}`);
  }
}

function toToml(file: string, conf: PythonConf): string {
  return new Conversion(file, conf).text();
}

const FLAG_HINTS: Record<FlagName, string> = {
  verbose: "is now -v on the command line (in the unit: ExecStart=)",
  quiet: "is now -q on the command line (in the unit: ExecStart=)",
  debug: "was for Python's asyncio; -v on the command line logs more",
};

const FUNCTION_HINTS: Record<FunctionName, string> = {
  get_ip: "for a reverse proxy, set trusted_proxies and proxy_header; " +
    'for anything else, write getIp in hooks = "hooks.js"',
  get_host: "a look-up in CLIENTS is what [clients] does; for a file of such lines, set " +
    'clients_file; for anything else, write getHost in hooks = "hooks.js"',
  nsupdatecommands: "for another TTL, set ttl; " +
    'for other records, write nsupdateCommands in hooks = "hooks.js"',
};

/** Remarks that stand in [clients]. */
const OF_CLIENTS: readonly Remark["kind"][] = ["clients", "client", "change", "replaced"];

class Conversion {
  readonly #file: string;
  readonly #conf: PythonConf;
  /** Comments for what stands above [clients], and in it. */
  readonly #above: Comment[] = [];
  readonly #inside: Comment[] = [];
  readonly #lines: string[] = [];

  constructor(file: string, conf: PythonConf) {
    this.#file = file;
    this.#conf = conf;
    for (const { line, remark } of conf.remarks) {
      const comments = OF_CLIENTS.includes(remark.kind) ? this.#inside : this.#above;
      comments.push({ line, text: textOf(remark) });
    }
  }

  text(): string {
    this.#lines.push(
      `# sftdyn's configuration, made by \`sftdyn import\` from ${quote(this.#file)}.`,
      "# Nothing of that was run: what it computes is in comments, with its line there.",
      "# `sftdyn check` says whether updates work with this.",
      "",
    );
    this.#addListeners();
    this.#addPath("nskeyfile", "; it was relative to the folder where the program was started");
    const clients = this.#clientLines();
    this.#addComments(this.#above);
    const { omitted } = this.#conf;
    if (omitted > 0) this.#lines.push(`# and ${count(omitted, "more remark")} of this kind`);
    this.#lines.push("", "[clients]");
    this.#addComments(this.#inside);
    for (const line of clients) this.#lines.push(line);
    if (clients.length === 0) this.#lines.push('# No client was found: "KEY" = "HOST"');
    return `${this.#lines.join("\n")}\n`;
  }

  #addComments(comments: Comment[]): void {
    for (const { line, text } of comments.toSorted((a, b) => a.line - b.line)) {
      this.#lines.push(`# line ${line}: ${text.replace(ODD, escape)}`);
    }
  }

  #addListeners(): void {
    const { settings } = this.#conf;
    const http = this.#listener("http");
    const https = this.#listener("https");
    const hasCertificate = settings.has("cert") && settings.has("key");
    if (http !== undefined) this.#lines.push(`http = ${http}`);
    if (https !== undefined && hasCertificate && https !== http) {
      this.#lines.push(`https = ${https}`);
    } else if (https !== undefined) {
      this.#above.push({
        line: settings.get("https")!.line,
        text: hasCertificate
          ? "https is not taken: http is at the same port"
          : `https = ${https} is not taken: set cert and key beside it`,
      });
    }
    if (http === undefined && (https === undefined || !hasCertificate)) {
      this.#lines.push("# Nothing to serve at was found: set http or https, or give -l or -s.");
      this.#lines.push('#http = "8080"');
    }
    for (const [name, other] of [["cert", "key"], ["key", "cert"]] as const) {
      if (settings.has(other)) this.#addPath(name);
      else if (settings.has(name)) {
        const { line } = settings.get(name)!;
        this.#above.push({ line, text: `${name} is not taken: set ${other} beside it` });
      }
    }
  }

  /** Where to listen, as TOML. */
  #listener(name: "http" | "https"): string | undefined {
    const setting = this.#conf.settings.get(name);
    if (setting === undefined) return undefined;
    try {
      return quote(endpointText(parseListen(setting.value)));
    } catch (error) {
      this.#above.push({
        line: setting.line,
        text: `${name} is not taken: ${errorMessage(error)}`,
      });
    }
  }

  /** @param hint on a relative path */
  #addPath(name: SettingName, hint = ""): void {
    const setting = this.#conf.settings.get(name);
    if (setting === undefined) return;
    const { line, value } = setting;
    // deno-lint-ignore no-control-regex
    if (!value.isWellFormed() || /[\x00-\x1f\x7f]/.test(value)) {
      this.#above.push({ line, text: `${name} is not taken: not the path of a file` });
      return;
    }
    this.#lines.push(`${name} = ${quote(value)}`);
    if (!value.startsWith("/")) {
      this.#above.push({ line, text: `${name} is relative to the folder of this file${hint}` });
    }
  }

  #clientLines(): string[] {
    const lines: string[] = [];
    for (const [key, { line, hosts }] of this.#conf.clients) {
      const problem = keyProblem(key);
      if (problem !== undefined) {
        this.#inside.push({ line, text: `this client is not taken: ${problem}` });
        continue;
      }
      const names = this.#hosts(line, hosts);
      if (names.length === 0) continue;
      const value = names.length === 1 ? quote(names[0]!) : `[${names.map(quote).join(", ")}]`;
      lines.push(`${this.#keyName(line, key)} = ${value}`);
    }
    return lines;
  }

  #hosts(line: number, texts: readonly string[]): Hostname[] {
    const names = new Set<Hostname>();
    if (texts.length === 0) {
      this.#inside.push({ line, text: "a client without a host is not taken" });
    }
    for (const text of texts) {
      try {
        names.add(parseHostname(text));
      } catch (error) {
        this.#inside.push({ line, text: `a host is not taken: ${errorMessage(error)}` });
      }
    }
    return [...names];
  }

  /** A key as TOML; its digest, where it would be something else there. */
  #keyName(line: number, key: string): string {
    const isOther = /^sha256:/i.test(key) || (NAMES as readonly string[]).includes(key);
    if (!isOther) return quote(key);
    const text = "the digest stands for the key of this client, which would mean something else";
    this.#inside.push({ line, text });
    return `"sha256:${digest(key)}"`;
  }
}

interface Comment {
  readonly line: number;
  readonly text: string;
}

function textOf(remark: Remark): string {
  switch (remark.kind) {
    case "flag":
      return `${remark.name} ${FLAG_HINTS[remark.name]}`;
    case "function":
      return `${remark.name} is not taken: ${FUNCTION_HINTS[remark.name]}`;
    case "setting":
      return `${remark.name} is not taken: it is computed; write it here`;
    case "conditional":
      return `${remark.name} is not taken: whether it is set here is computed; write it here`;
    case "clients":
      return "CLIENTS is not taken: expected a dictionary of strings; " +
        'for a file of "key: host" lines, set clients_file';
    case "change":
      return "a change of CLIENTS is not taken: write it here";
    case "client":
      return "this client is not taken: expected a key and a host, or hosts, in quotes";
    case "replaced":
      return `this client is not taken: its key is in line ${remark.by} again, which counts`;
    case "import":
      return "an import is not taken";
    case "indented":
      return "this is not taken: it is indented, and belongs to nothing";
    case "variable":
      return remark.isDictionary
        ? `the dictionary ${remark.name} is not taken: ` +
          "if it has the clients, call it CLIENTS and import again"
        : `the variable ${remark.name} is not taken: sftdyn has no such setting`;
    case "other":
      return `${remark.what} is not taken`;
  }
}

/** Why a client with this key cannot be taken. */
function keyProblem(key: string): string | undefined {
  if (key === "" || key === "?") return "its key is empty";
  if (key.startsWith("/")) return "no request has a key with a slash in front";
  if (!key.isWellFormed()) return "no request has such a key";
}

/** What is better not seen as it is, in a string or a comment. */
// deno-lint-ignore no-control-regex
const ODD = /[\x00-\x1f\x7f-\x9f\u2028\u2029\ufeff]/g;

function escape(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
}

/** A basic string of TOML. */
function quote(text: string): string {
  return JSON.stringify(text).replace(ODD, escape);
}
