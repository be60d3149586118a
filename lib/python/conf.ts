/**
 * What the Python program's configuration says, as far as that can be told
 * without running it, and what it says besides.
 */

import { PythonScanner } from "./scanner.ts";

/** Names that the Python program took from its configuration. */
const SETTINGS = ["http", "https", "cert", "key", "nskeyfile"] as const;
const FLAGS = ["verbose", "quiet", "debug"] as const;
const FUNCTIONS = ["get_ip", "get_host", "nsupdatecommands"] as const;
/** The sample's dictionary, whatever its case. */
const CLIENTS = /^clients$/i;

export type SettingName = typeof SETTINGS[number];
export type FlagName = typeof FLAGS[number];
export type FunctionName = typeof FUNCTIONS[number];

export interface Entry {
  readonly line: number;
  readonly hosts: readonly string[];
}

/** What is in a line of the file, that is not taken as it is. */
export type Remark =
  | { readonly kind: "flag"; readonly name: FlagName }
  | { readonly kind: "function"; readonly name: FunctionName }
  /** Its value cannot be told. */
  | { readonly kind: "setting"; readonly name: SettingName }
  /** It is set in a block, that may run or not. */
  | { readonly kind: "conditional"; readonly name: string }
  /** The dictionary as a whole, one entry of it, or a change of it. */
  | { readonly kind: "clients" | "client" | "change" }
  | { readonly kind: "import" | "indented" }
  /** The line in which its key is once more. */
  | { readonly kind: "replaced"; readonly by: number }
  /** It is no name of the Python program's. */
  | { readonly kind: "variable"; readonly name: string; readonly isDictionary: boolean }
  | { readonly kind: "other"; readonly what: string };

export interface PythonConf {
  readonly settings: ReadonlyMap<SettingName, { readonly line: number; readonly value: string }>;
  /** By their keys. */
  readonly clients: ReadonlyMap<string, Entry>;
  readonly remarks: readonly { readonly line: number; readonly remark: Remark }[];
  /** How many more remarks there would be. */
  readonly omitted: number;
}

/**
 * Reads the configuration's text.
 *
 * @throws {PythonError} it is no Python
 */
export function readPythonConf(text: string): PythonConf {
  return new Reader(text).read();
}

/** What begins a statement with a block, or goes on with one. */
const CONTINUED = ["elif", "else", "except", "finally"];
const COMPOUND = ["if", "for", "while", "with", "try", "match", "class", "async", ...CONTINUED];
/** More remarks than these nobody reads. */
const MAX_REMARKS = 1000;
const CONSTANTS = ["None", "False", "True"];

class Reader implements PythonConf {
  readonly settings = new Map<SettingName, { line: number; value: string }>();
  readonly clients = new Map<string, Entry>();
  readonly remarks: { line: number; remark: Remark }[] = [];
  omitted = 0;
  readonly #scanner: PythonScanner;
  /** What the indented lines below belong to. */
  #block: "function" | "other" | undefined;

  constructor(text: string) {
    this.#scanner = new PythonScanner(text);
  }

  read(): this {
    const scanner = this.#scanner;
    scanner.next();
    while (scanner.kind !== "end") {
      if (scanner.kind === "newline" || scanner.is(";")) scanner.next();
      else if (scanner.isIndented) this.#skipIndented();
      else {
        this.#block = undefined;
        this.#readStatement();
      }
    }
    return this;
  }

  #remark(line: number, remark: Remark): void {
    if (this.remarks.length < MAX_REMARKS) this.remarks.push({ line, remark });
    else this.omitted++;
  }

  #readStatement(): void {
    const scanner = this.#scanner;
    const { kind, text, line } = scanner;
    if (kind === "string") return this.#readText();
    if (scanner.is("@")) return this.#skipLine();
    scanner.next();
    if (kind !== "name") return this.#readOther(line, "a statement");
    const isAsync = text === "async" && scanner.text === "def";
    if (isAsync) scanner.next();
    if (text === "def" || isAsync) return this.#readFunction(line);
    if (COMPOUND.includes(text)) return this.#readCompound(line, text);
    if (text === "import" || text === "from") {
      this.#remark(line, { kind: "import" });
      return this.#skipStatement();
    }
    if (text === "pass") return this.#skipStatement();
    if (scanner.is(":")) this.#skipAnnotation();
    if (scanner.is("=")) return this.#readAssignment(line, text);
    if (scanner.is(",")) return this.#readNames(line, text);
    if (nameIn(SETTINGS, text) !== undefined) return this.#assign(line, [text], undefined);
    if (!CLIENTS.test(text)) return this.#readOther(line, "a statement");
    this.#remark(line, { kind: "change" });
    this.#skipStatement();
  }

  /** A string by itself says nothing. */
  #readText(): void {
    const { line } = this.#scanner;
    while (this.#scanner.kind === "string") this.#scanner.next();
    if (!this.#isAtEnd()) this.#readOther(line, "a statement");
  }

  #readOther(line: number, what: string): void {
    this.#remark(line, { kind: "other", what });
    this.#skipStatement();
  }

  /** From behind `def`. */
  #readFunction(line: number): void {
    const { text } = this.#scanner;
    const name = nameIn(FUNCTIONS, text);
    if (name !== undefined) this.#remark(line, { kind: "function", name });
    else this.#remark(line, { kind: "other", what: `the function ${short(text)}` });
    this.#skipLine();
    this.#block = "function";
  }

  /** From behind its first word. */
  #readCompound(line: number, word: string): void {
    if (!CONTINUED.includes(word)) this.#remark(line, { kind: "other", what: `"${word}"` });
    this.#block = word === "class" ? "function" : "other";
    this.#findInside();
  }

  #skipIndented(): void {
    if (this.#block === undefined) this.#remark(this.#scanner.line, { kind: "indented" });
    if (this.#block === "other") this.#findInside();
    else this.#skipLine();
  }

  /** Goes to the line's end, and remarks on what is set there under a condition. */
  #findInside(): void {
    const scanner = this.#scanner;
    let before = "";
    for (; !this.#isLineEnd(); scanner.next()) {
      const { line } = scanner;
      const isName = nameIn(SETTINGS, before) !== undefined || nameIn(FLAGS, before) !== undefined;
      if (scanner.is("=") && scanner.depth === 0 && (isName || CLIENTS.test(before))) {
        this.#remark(line, { kind: "conditional", name: before });
      } else if (before === "def") {
        const name = nameIn(FUNCTIONS, scanner.text);
        if (name !== undefined) this.#remark(line, { kind: "function", name });
      }
      before = scanner.text;
    }
  }

  /** Several names, from the first comma: which gets what is not looked at. */
  #readNames(line: number, name: string): void {
    const names = [name];
    for (const scanner = this.#scanner; scanner.is(",") || scanner.kind === "name";) {
      if (scanner.kind === "name") names.push(scanner.text);
      scanner.next();
    }
    if (this.#scanner.is("=")) this.#assign(line, names, undefined);
    else this.#readOther(line, "a statement");
  }

  /** From its first `=`. As in Python, the last one counts. */
  #readAssignment(line: number, name: string): void {
    const scanner = this.#scanner;
    const names = [name];
    scanner.next();
    while (scanner.kind === "name" && !CONSTANTS.includes(scanner.text)) {
      const { text } = scanner;
      scanner.next();
      if (!scanner.is("=")) return this.#assign(line, names, undefined);
      names.push(text);
      scanner.next();
    }
    if (names.some((name) => CLIENTS.test(name))) return this.#readClients(line);
    const isDictionary = scanner.is("{");
    const value = this.#readScalar();
    this.#assign(line, names, this.#isAtEnd() ? value : undefined, isDictionary);
  }

  /** @param value "" if it is as if it were not set; undefined if it cannot be told */
  #assign(
    line: number,
    names: readonly string[],
    value: string | undefined,
    isDictionary = false,
  ): void {
    for (const text of names) {
      const setting = nameIn(SETTINGS, text);
      const flag = nameIn(FLAGS, text);
      const name = nameIn(FUNCTIONS, text);
      if (setting !== undefined) {
        this.settings.delete(setting);
        if (value === undefined) this.#remark(line, { kind: "setting", name: setting });
        else if (value !== "") this.settings.set(setting, { line, value });
      } else if (flag !== undefined) this.#remark(line, { kind: "flag", name: flag });
      else if (name !== undefined && value !== "") this.#remark(line, { kind: "function", name });
      else if (CLIENTS.test(text)) {
        this.clients.clear();
        this.#remark(line, { kind: "clients" });
      } else if (name === undefined) {
        this.#remark(line, { kind: "variable", name: short(text), isDictionary });
      }
    }
    this.#skipStatement();
  }

  /** A string, a number or a constant, in brackets or not. */
  #readScalar(): string | undefined {
    const scanner = this.#scanner;
    let brackets = 0;
    for (; scanner.is("("); brackets++) scanner.next();
    let value;
    if (scanner.kind === "string") value = this.#readString();
    else if (scanner.kind === "number" || scanner.kind === "name") {
      value = constant(scanner.text);
      scanner.next();
    }
    for (; brackets > 0 && scanner.is(")"); brackets--) scanner.next();
    return brackets === 0 ? value : undefined;
  }

  /** Literals that stand beside each other are one string. */
  #readString(): string | undefined {
    const parts: (string | undefined)[] = [];
    for (; this.#scanner.kind === "string"; this.#scanner.next()) parts.push(this.#scanner.value);
    return parts.length === 0 || parts.includes(undefined) ? undefined : parts.join("");
  }

  #readClients(line: number): void {
    const first = this.remarks.length;
    this.clients.clear();
    const isWhole = this.#scanner.is("{") && this.#readDictionary() && this.#isAtEnd();
    if (!isWhole) {
      // What it is cannot be told, nor what is in it.
      this.clients.clear();
      this.remarks.length = first;
      this.#remark(line, { kind: "clients" });
    }
    this.#skipStatement();
  }

  /** From its bracket to behind it; false if it is none. */
  #readDictionary(): boolean {
    const scanner = this.#scanner;
    const depth = scanner.depth + 1;
    scanner.next();
    while (!this.#isClosing(depth)) {
      const { line } = scanner;
      const key = this.#readString();
      const hosts = key !== undefined && scanner.is(":") ? this.#readHosts() : undefined;
      if (hosts !== undefined && this.#isEntryEnd(depth)) this.#addClient(key!, { line, hosts });
      else if (this.remarks.at(-1)?.line !== line) this.#remark(line, { kind: "client" });
      while (!this.#isEntryEnd(depth)) scanner.next();
      if (scanner.is(",")) scanner.next();
    }
    const isDictionary = scanner.is("}");
    scanner.next();
    return isDictionary;
  }

  #addClient(key: string, entry: Entry): void {
    const before = this.clients.get(key);
    if (before !== undefined) {
      this.#remark(before.line, { kind: "replaced", by: entry.line });
      this.clients.delete(key);
    }
    this.clients.set(key, entry);
  }

  /** From the colon: a string, or a list or tuple of strings. */
  #readHosts(): string[] | undefined {
    const scanner = this.#scanner;
    scanner.next();
    if (!scanner.is("[") && !scanner.is("(")) {
      const host = this.#readString();
      return host === undefined ? undefined : [host];
    }
    const depth = scanner.depth + 1;
    const hosts: string[] = [];
    scanner.next();
    while (!this.#isClosing(depth)) {
      const host = this.#readString();
      if (host === undefined || !this.#isEntryEnd(depth)) return undefined;
      hosts.push(host);
      if (scanner.is(",")) scanner.next();
    }
    scanner.next();
    return hosts;
  }

  /** Whether it is the bracket that ends what is in so many brackets. */
  #isClosing(depth: number): boolean {
    const { kind, text } = this.#scanner;
    return this.#scanner.depth === depth - 1 && kind === "sign" && ")]}".includes(text);
  }

  #isEntryEnd(depth: number): boolean {
    return this.#isClosing(depth) || (this.#scanner.depth === depth && this.#scanner.is(","));
  }

  #isLineEnd(): boolean {
    return this.#scanner.kind === "newline" || this.#scanner.kind === "end";
  }

  /** Whether a statement ends here. */
  #isAtEnd(): boolean {
    return this.#isLineEnd() || (this.#scanner.is(";") && this.#scanner.depth === 0);
  }

  #skipStatement(): void {
    while (!this.#isAtEnd()) this.#scanner.next();
  }

  #skipLine(): void {
    while (!this.#isLineEnd()) this.#scanner.next();
  }

  /** From the colon behind a name to the `=` behind its type, if there is one. */
  #skipAnnotation(): void {
    const scanner = this.#scanner;
    while (!this.#isAtEnd() && !(scanner.is("=") && scanner.depth === 0)) scanner.next();
  }
}

function nameIn<T extends string>(names: readonly T[], text: string): T | undefined {
  return names.find((name) => name === text);
}

/** What a number or a name stands for; "" if that is as if it were not set. */
function constant(text: string): string | undefined {
  if (text === "None" || text === "False" || text === "0") return "";
  return /^[1-9]\d*(?:_\d+)*$/.test(text) ? text.replaceAll("_", "") : undefined;
}

/** A name for a message. */
function short(name: string): string {
  return /^\w{1,40}$/.test(name) ? name : "of this name";
}
