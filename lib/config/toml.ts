/**
 * TOML text to a tree in which every name knows its line, with all faults of
 * the text at once. The library parses one value at a time; where statements
 * (`NAME = VALUE` and `[TABLE]`) begin and end is found here. No fault repeats
 * any of the text: a statement may hold a secret.
 */

import { parse } from "@std/toml";

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

interface Statement {
  line: number;
  text: string;
  /** Where the `=` stands in the text, or -1. */
  equals: number;
  /** What is open at its end: a quote or a bracket. */
  unclosed: string;
}

/** A part of a name: bare, or in quotes of either kind. */
const PART = /[A-Za-z0-9_-]+|"(?:[^"\\\n]|\\.)*"|'[^'\n]*'/g;
const DOTTED = `\\s*(?:${PART.source})(?:\\s*\\.\\s*(?:${PART.source}))*\\s*`;
const NAME = new RegExp(`^${DOTTED}$`);
const HEADER = new RegExp(`^\\[(${DOTTED})\\]\\s*(?:#.*)?$`);

/** Parses a whole file; what is in faults is missing in the table. */
export function parseToml(text: string): { table: TomlTable; faults: Fault[] } {
  const root: TomlTable = new Map();
  const faults: Fault[] = [];
  const headers = new Map<string, number>();
  let table: TomlTable | undefined = root;
  for (const statement of statements(text.replaceAll("\r\n", "\n"))) {
    const { line } = statement;
    try {
      if (statement.text.startsWith("[")) {
        // After a broken header, the names that follow belong to no known table.
        table = undefined;
        table = openTable(root, statement, headers);
      } else {
        const { path, value } = parseStatement(statement);
        if (table !== undefined) add(table, path, value, line);
      }
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      faults.push({ line, problem: error.message });
    }
  }
  return { table: root, faults };
}

function openTable(root: TomlTable, statement: Statement, headers: Map<string, number>): TomlTable {
  const { line, text } = statement;
  if (text.startsWith("[[")) {
    throw new RangeError("lists of tables are not used here: expected [NAME]");
  }
  const path = parseName(HEADER.exec(text)?.[1] ?? "");
  if (path === undefined) {
    throw new RangeError(
      "not a table's name: expected [NAME], with quotes around special characters",
    );
  }
  let table = root;
  for (const name of path) table = openPart(table, name, line);
  const before = headers.get(JSON.stringify(path));
  if (before !== undefined) throw new RangeError(`this table is already in line ${before}`);
  headers.set(JSON.stringify(path), line);
  return table;
}

function add(table: TomlTable, path: string[], value: unknown, line: number): void {
  for (const name of path.slice(0, -1)) table = openPart(table, name, line);
  const name = path.at(-1)!;
  const before = table.get(name);
  if (before) throw new RangeError(`this name is already in line ${before.line}`);
  table.set(name, toNode(value, line));
}

/** The table of this name, new or not. */
function openPart(table: TomlTable, name: string, line: number): TomlTable {
  const node: TomlNode = table.get(name) ?? { line, value: new Map() };
  if (!(node.value instanceof Map) || node.isInline) {
    throw new RangeError(`this name already has a value, in line ${node.line}`);
  }
  table.set(name, node);
  return node.value;
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
  { text, equals, unclosed }: Statement,
): { path: string[]; value: unknown } {
  const path = parseName(text.slice(0, Math.max(0, equals)));
  const parsed = parseValue(text.slice(equals + 1));
  if (unclosed === "" && path !== undefined && parsed !== undefined) {
    return { path, value: parsed.value };
  }
  throw new RangeError(explain(text, equals, unclosed, path));
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

function explain(
  text: string,
  equals: number,
  unclosed: string,
  path: string[] | undefined,
): string {
  if (unclosed !== "") return `${unclosed} is not closed`;
  if (equals < 0) return 'expected NAME = VALUE or [TABLE] (a comment begins with "#")';
  if (path === undefined) {
    return 'not a valid name before "=": put it in quotes, "NAME" = VALUE';
  }
  const value = text.slice(equals + 1).trim();
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

/** Cuts the text where TOML's statements end: at line ends outside brackets and quotes. */
function* statements(text: string): Generator<Statement> {
  let position = 0, line = 1;
  while (position < text.length) {
    const char = text[position]!;
    if (/\s/.test(char)) {
      if (char === "\n") line++;
      position++;
    } else if (char === "#") position = lineEnd(text, position);
    else {
      let statement = scan(text, position, true);
      // What is never closed swallows the rest of the file: look at the first line alone.
      if (statement.unclosed !== "") statement = scan(text, position, false);
      yield { ...statement, line };
      line += countLines(statement.text);
      position += statement.text.length;
    }
  }
}

function lineEnd(text: string, position: number): number {
  const end = text.indexOf("\n", position);
  return end < 0 ? text.length : end;
}

function countLines(text: string): number {
  let lines = 0;
  for (let i = text.indexOf("\n"); i >= 0; i = text.indexOf("\n", i + 1)) lines++;
  return lines;
}

function scan(text: string, start: number, manyLines: boolean): Omit<Statement, "line"> {
  const isHeader = text[start] === "[";
  let position = start, equals = -1, depth = 0, unclosed = "";
  while (position < text.length) {
    const char = text[position]!;
    if (char === "\n" && (depth === 0 || !manyLines || isHeader)) break;
    if (char === "#") position = lineEnd(text, position);
    else if (char === '"' || char === "'") {
      const end = endOfQuote(text, position, manyLines);
      if (end === undefined) {
        unclosed = `a quote (${char})`;
        position = lineEnd(text, position);
        break;
      }
      position = end;
    } else {
      if (char === "[" || char === "{") depth++;
      if ((char === "]" || char === "}") && depth > 0) depth--;
      if (char === "=" && equals < 0) equals = position - start;
      position++;
    }
  }
  if (unclosed === "" && depth > 0) unclosed = "a bracket";
  return { text: text.slice(start, position), equals, unclosed };
}

/** The position after the quoted text that starts here, or undefined if it does not end. */
function endOfQuote(text: string, start: number, manyLines: boolean): number | undefined {
  const quote = text[start]!;
  const triple = quote.repeat(3);
  if (text.startsWith(triple, start)) {
    for (let i = start + 3; i < text.length; i++) {
      if (text[i] === "\n" && !manyLines) return undefined;
      if (text[i] === "\\" && quote === '"') i++;
      else if (text.startsWith(triple, i)) {
        // Up to two quotes may stand before the closing three.
        let end = i + 3;
        while (text[end] === quote && end < i + 5) end++;
        return end;
      }
    }
    return undefined;
  }
  for (let i = start + 1; i < text.length && text[i] !== "\n"; i++) {
    if (text[i] === "\\" && quote === '"') i++;
    else if (text[i] === quote) return i + 1;
  }
  return undefined;
}
