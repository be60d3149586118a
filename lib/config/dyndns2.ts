/** `dyndns2`: whether that protocol is spoken, and at which paths. */

import type { Dyndns2Settings } from "../dyndns2_settings.ts";
import { type Faults, type Setting, typeName } from "./settings.ts";
import type { TomlTable } from "./toml.ts";

/** What routers and clients ask for without being told. */
const PATHS = ["/nic/update", "/v3/update"];
const EXPECTED = 'expected true, false or { paths = ["/nic/update"] }';
/** What comes in a request as it is written here. */
const PATH = /^(?:\/[!-$&-.0->@-~]+)+$/;

/** @returns undefined if it is not spoken */
export function readDyndns2(
  setting: Setting | undefined,
  faults: Faults,
): Dyndns2Settings | undefined {
  if (setting === undefined || setting.value === false) return undefined;
  if (setting.value === true) return { paths: PATHS };
  return faults.attempt(setting, () => ({ paths: pathsOf(setting.value) }));
}

function pathsOf(value: unknown): string[] {
  if (!(value instanceof Map)) throw new RangeError(`${EXPECTED}, got ${typeName(value)}`);
  const table = value as TomlTable;
  const paths = table.get("paths")?.value;
  if (table.size !== 1 || !Array.isArray(paths) || paths.length === 0) {
    throw new RangeError(`${EXPECTED}, got another table`);
  }
  return paths.map((path: unknown) => {
    if (typeof path !== "string") throw new RangeError(`${EXPECTED}, got ${typeName(path)} in it`);
    if (PATH.test(path)) return path;
    throw new RangeError(
      `${JSON.stringify(path)} is no path of a request: expected one like "/nic/update"`,
    );
  });
}
