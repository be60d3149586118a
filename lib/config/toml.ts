/**
 * TOML text to a tree in which every name knows its line, with all faults of
 * the text at once. The library parses one value at a time. No fault repeats any
 * of the text: a statement may hold a secret.
 */

import { parse } from "@std/toml";
import { atOnce, type Work } from "../slices.ts";
import { type Statement, StatementScanner } from "./statement_scanner.ts";

export interface TomlNode {
  /** Counted from 1. */
  readonly line: number;
  readonly value: TomlValue;
  /** A table in braces, to which nothing can be added elsewhere. */
  readonly isInline?: true;
}
export type TomlTable = Map<string, TomlNode>;
/** Other values than these are dates; nothing here needs one. */
export type TomlValue = string | number | boolean | TomlTable | readonly unknown[] | Date;

export interface Fault {
  /** Counted from 1. */
  readonly line: number;
  readonly problem: string;
}

/** A table that is too big for a tree: who reads it takes each entry as it comes. */
export interface Rows {
  /** The table's name. */
  readonly name: string;
  take(name: string, node: TomlNode): void;
  /** Takes a line if it is a plain one, of no other syntax than a string, an `=` and strings. */
  takeLine(text: string, line: number): boolean;
  /** Where the entry with this name was; undefined if none was. */
  lineOf(name: string): number | undefined;
}

export interface TomlOptions {
  onFault: (fault: Fault) => void;
  rows?: Rows;
}

/** A part of a name: bare, or in quotes of either kind. */
const PART = /[A-Za-z0-9_-]+|"(?:[^"\\\n]|\\.)*"|'[^'\n]*'/g;
const DOTTED = `\\s*(?:${PART.source})(?:\\s*\\.\\s*(?:${PART.source}))*\\s*`;
const NAME = new RegExp(`^${DOTTED}$`);
const HEADER = new RegExp(`^\\[(${DOTTED})\\]\\s*(?:#.*)?$`);

/** Parses a whole text; what is in faults is missing in the table. */
export function parseToml(text: string): { table: TomlTable; faults: Fault[] } {
  const faults: Fault[] = [];
  const onFault = (fault: Fault) => void faults.push(fault);
  const table = atOnce(readToml(new TextEncoder().encode(text), { onFault }));
  return { table, faults };
}

/** Parses a whole file. What is at fault is missing in the table, as is what rows took. */
export function* readToml(octets: Uint8Array, { onFault, rows }: TomlOptions): Work<TomlTable> {
  const scanner = new StatementScanner(octets);
  const tree = new Tree(rows);
  while (!scanner.isAtEnd) {
    yield;
    if (!scanner.skipSpace()) continue;
    const { line } = scanner;
    if (tree.hasRows && rows!.takeLine(scanner.peekLine(), line)) {
      scanner.skipLine();
      continue;
    }
    const statement = yield* scanner.read();
    try {
      tree.take(statement);
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      onFault({ line, problem: error.message });
    }
  }
  return tree.root;
}

/** What the statements so far make. */
class Tree {
  readonly root: TomlTable = new Map();
  readonly #headers = new Map<string, number>();
  readonly #rows: Rows | undefined;
  /** Where the next statement belongs; undefined after a broken header: it belongs to no known table. */
  #table: TomlTable | undefined = this.root;

  constructor(rows: Rows | undefined) {
    this.#rows = rows;
  }

  /** Whether a plain line here is a row, and nothing that is in the tree can be the same. */
  get hasRows(): boolean {
    return this.#table !== undefined && this.#table.size === 0 && this.#areRows(this.#table);
  }

  /** @throws {RangeError} what is wrong with the statement */
  take(statement: Statement): void {
    const text = statement.text.trimStart();
    // White space that is no ASCII.
    if (text === "" || text.startsWith("#")) return;
    if (text.startsWith("[")) {
      this.#table = undefined;
      this.#table = this.#open(text, statement.line);
    } else {
      const { path, value } = parseStatement(statement);
      if (this.#table !== undefined) this.#add(this.#table, path, value, statement.line);
    }
  }

  #open(text: string, line: number): TomlTable {
    if (text.startsWith("[[")) {
      throw new RangeError("lists of tables are not used here: expected [NAME]");
    }
    const path = parseName(HEADER.exec(text)?.[1] ?? "");
    if (path === undefined) {
      throw new RangeError(
        "not a table's name: expected [NAME], with quotes around special characters",
      );
    }
    let table = this.root;
    for (const name of path) table = this.#openPart(table, name, line);
    const before = this.#headers.get(JSON.stringify(path));
    if (before !== undefined) throw new RangeError(`this table is already in line ${before}`);
    this.#headers.set(JSON.stringify(path), line);
    return table;
  }

  #add(table: TomlTable, path: string[], value: unknown, line: number): void {
    for (const name of path.slice(0, -1)) table = this.#openPart(table, name, line);
    const name = path.at(-1)!;
    const before = table.get(name);
    if (before) throw new RangeError(`this name is already in line ${before.line}`);
    const node = toNode(value, line);
    if (this.#areRows(table)) this.#rows!.take(name, node);
    else table.set(name, node);
  }

  /** The table of this name, new or not. */
  #openPart(table: TomlTable, name: string, line: number): TomlTable {
    const row = this.#areRows(table) ? this.#rows!.lineOf(name) : undefined;
    const node: TomlNode = table.get(name) ?? { line, value: new Map() };
    if (row !== undefined || !(node.value instanceof Map) || node.isInline) {
      throw new RangeError(`this name already has a value, in line ${row ?? node.line}`);
    }
    table.set(name, node);
    return node.value;
  }

  #areRows(table: TomlTable): boolean {
    return this.#rows !== undefined && this.root.get(this.#rows.name)?.value === table;
  }
}

function toNode(value: unknown, line: number): TomlNode {
  if (!isTree(value)) return { line, value: value as TomlValue };
  const entries = Object.entries(value).map(([name, part]) => [name, toNode(part, line)] as const);
  return { line, value: new Map(entries), isInline: true };
}

function isTree(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value) &&
    !(value instanceof Date);
}

/** @throws {RangeError} what is wrong and what would be right, without the text */
function parseStatement(
  { name, value, unclosed }: Statement,
): { path: string[]; value: unknown } {
  if (unclosed !== "") throw new RangeError(`${unclosed} is not closed`);
  const path = parseName(name ?? "");
  const parsed = path && parseValue(value);
  if (path === undefined || parsed === undefined) throw new RangeError(explain(name, path, value));
  return { path, value: parsed.value };
}

/** A dotted name, its parts bare or in quotes; undefined if it is none. */
function parseName(text: string): string[] | undefined {
  if (!NAME.test(text)) return undefined;
  const path: string[] = [];
  for (const [part] of text.matchAll(PART)) {
    const name = /^["']/.test(part) ? parseValue(part)?.value : part;
    if (typeof name !== "string") return undefined;
    path.push(name);
  }
  return path;
}

/**
 * A text in quotes without escapes, or a short whole number: nearly every value
 * that there is. The library says the same of it, in a hundred times the time,
 * which counts where there are a million clients.
 */
// deno-lint-ignore no-control-regex
const PLAIN = /^[ \t]*(?:"([^"\\\x00-\x1f\x7f]*)"|(0|[1-9]\d{0,14}))[ \t]*(?:#.*)?$/;

/** undefined if it is not one value; the library's message may quote the text. */
function parseValue(text: string): { value: unknown } | undefined {
  const plain = PLAIN.exec(text);
  if (plain !== null) return { value: plain[1] ?? Number(plain[2]) };
  try {
    const { x: value, ...rest } = parse(`x = ${text}`);
    // Some libraries take a second statement in the same line.
    return Object.keys(rest).length > 0 ? undefined : { value };
  } catch {
    return undefined;
  }
}

function explain(name: string | undefined, path: string[] | undefined, text: string): string {
  if (name === undefined) return 'expected NAME = VALUE or [TABLE] (a comment begins with "#")';
  if (path === undefined) {
    return 'not a valid name before "=": put it in quotes, "NAME" = VALUE';
  }
  const value = text.trim();
  if (value === "" || value.startsWith("#")) return 'the value after "=" is missing';
  if (/^(True|False|None)\b/.test(value)) return "not a valid value: expected true or false";
  if (/^[+-]?[\d_.]+$/.test(value)) {
    return "not a valid number: expected digits, without zeros in front";
  }
  if (/^[^"'[{]/.test(value)) return 'not a valid value: a string needs quotes, NAME = "VALUE"';
  if (/^"[^"]*\\/.test(value)) {
    return "not a valid value: write a backslash in single quotes or twice, 'C:\\x' or \"C:\\\\x\"";
  }
  if (value.startsWith("[")) {
    return 'not a valid list: expected ["VALUE", "VALUE"], with quotes around a string';
  }
  if (value.startsWith("{")) return 'not a valid table: expected { NAME = "VALUE", NAME = NUMBER }';
  return "not a valid value: something follows its end";
}
