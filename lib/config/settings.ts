/** One setting of a configuration: where it stands, its value, and what is wrong with it. */

import { count } from "../count.ts";
import { errorMessage } from "../error_message.ts";
import type { TomlNode } from "./toml.ts";

export interface Setting {
  /** undefined if it is from the command line. */
  readonly line: number | undefined;
  /** Its name, as messages call it. */
  readonly place: string;
  readonly value: unknown;
}

/** How many faults of a file are told: the first ones help, and a million lines would not. */
const MAX_FAULTS = 100;

/** What is wrong with a file, in the order of its lines. */
export class Faults {
  #faults: { line: number; text: string }[] = [];
  #count = 0;

  constructor(readonly file: string) {}

  /** How many there are, told or not. */
  get count(): number {
    return this.#count;
  }

  /** A line each; the last one says how many more there are. */
  get lines(): string[] {
    this.#keepFirst();
    const lines = this.#faults.map(({ text }) => text);
    const more = this.#count - lines.length;
    return more === 0 ? lines : [...lines, `${this.file}: and ${count(more, "more fault")}`];
  }

  /** @param line undefined if the fault is none of one line */
  add(line: number | undefined, problem: string): void {
    const place = line === undefined ? this.file : `${this.file}: line ${line}`;
    this.#push(line ?? Infinity, `${place}: ${problem}`);
  }

  /** A fault in a setting, wherever it stands. */
  of({ line, place }: Setting, problem: string): void {
    if (line === undefined) this.#push(0, `${place}: ${problem}`);
    else this.add(line, `${place}: ${problem}`);
  }

  /** What run returns; undefined, and a fault with its message, if it throws a RangeError. */
  attempt<T>(setting: Setting, run: () => T): T | undefined {
    try {
      return run();
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      this.of(setting, errorMessage(error));
    }
  }

  /** The setting's string; undefined if it is not set, or no string. */
  string(setting: Setting | undefined): string | undefined {
    if (setting === undefined) return undefined;
    if (typeof setting.value !== "string") {
      this.of(setting, `expected a string in quotes, got ${typeName(setting.value)}`);
    } else if (setting.value === "") this.of(setting, "it is empty");
    else return setting.value;
  }

  /** The setting's number; undefined if it is not set, or none in the range. */
  number(setting: Setting | undefined, range: NumberRange): number | undefined {
    if (setting === undefined) return undefined;
    const problem = numberProblem(setting.value, range);
    if (problem === undefined) return setting.value as number;
    this.of(setting, problem);
  }

  #push(line: number, text: string): void {
    this.#count++;
    this.#faults.push({ line, text });
    // They do not come in the order of their lines.
    if (this.#faults.length >= 20 * MAX_FAULTS) this.#keepFirst();
  }

  #keepFirst(): void {
    this.#faults = this.#faults.toSorted((a, b) => a.line - b.line).slice(0, MAX_FAULTS);
  }
}

/** One line for all of a file's faults. */
export function firstFault([first = ""]: readonly string[], count: number): string {
  return count === 1 ? first : `${first} (and ${count - 1} more: sftdyn check lists all)`;
}

export interface NumberRange {
  readonly least: number;
  readonly most: number;
  readonly isWhole?: boolean;
}

/** A setting as it stands in the file. */
export function settingOf(place: string, node: TomlNode | undefined): Setting | undefined {
  return node && { line: node.line, place, value: node.value };
}

/** Why the value is no number of this range; undefined if it is one. */
export function numberProblem(
  value: unknown,
  { least, most, isWhole = false }: NumberRange,
): string | undefined {
  const expected = `expected a ${isWhole ? "whole " : ""}number from ${least} to ${most}`;
  if (typeof value !== "number") return `${expected}, got ${typeName(value)}`;
  const fits = value >= least && value <= most && (!isWhole || Number.isInteger(value));
  return fits ? undefined : `${expected}, got ${value}`;
}

/** What kind of value it is, in words. */
export function typeName(value: unknown): string {
  if (Array.isArray(value)) return "a list";
  if (value instanceof Map) return "a table";
  if (value instanceof Date) return "a date";
  if (typeof value === "string") return "a string";
  if (typeof value === "boolean") return `${value}`;
  return typeof value === "number" ? "a number" : "a table";
}
