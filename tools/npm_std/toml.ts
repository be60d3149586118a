/** `parse` of `@std/toml`, by smol-toml. */

import { parse as parseToml } from "smol-toml";

export function parse(toml: string): Record<string, unknown> {
  try {
    return parseToml(toml);
  } catch (error) {
    // @std/toml throws a SyntaxError, smol-toml an Error of its own.
    throw new SyntaxError((error as Error).message);
  }
}
