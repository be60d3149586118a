/**
 * `parseArgs` of `@std/cli`, as far as sftdyn uses it (string, boolean, alias,
 * collect), on the tokens of `node:util`.
 */

import { parseArgs as tokenize } from "node:util";

export interface ParseOptions {
  string?: readonly string[];
  boolean?: readonly string[];
  collect?: readonly string[];
  alias?: Record<string, string>;
}

export function parseArgs(
  args: string[],
  { string = [], boolean = [], collect = [], alias = {} }: ParseOptions = {},
): Record<string, unknown> & { _: string[] } {
  const short = new Map(Object.entries(alias).map(([letter, name]) => [name, letter]));
  const option = (name: string, type: "string" | "boolean") => {
    const letter = short.get(name);
    return [name, letter === undefined ? { type } : { type, short: letter }] as const;
  };
  const { tokens } = tokenize({
    args,
    options: Object.fromEntries([
      ...string.map((name) => option(name, "string")),
      ...boolean.map((name) => option(name, "boolean")),
    ]),
    strict: false,
    tokens: true,
  });

  const result: Record<string, unknown> & { _: string[] } = { _: [] };
  const set = (name: string, value: unknown) => {
    const letter = short.get(name);
    result[name] = value;
    if (letter !== undefined) result[letter] = value;
  };
  for (const name of boolean) set(name, false);
  for (const name of collect) set(name, []);
  for (const token of tokens) {
    if (token.kind === "positional") result._.push(token.value);
    if (token.kind !== "option") continue;
    let value: unknown = token.value ?? true;
    if (string.includes(token.name)) {
      const text = token.value ?? "";
      // An option is no other option's value; "-l=8080" is "-l 8080".
      value = token.inlineValue ? text.replace(/^=/, "") : text.startsWith("-") ? "" : text;
    }
    set(
      token.name,
      collect.includes(token.name) ? [...result[token.name] as unknown[], value] : value,
    );
  }
  return result;
}
