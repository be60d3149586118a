/** `prefix` of a client's table: the hosts behind its router, and their interface ids. */

import type { NewClient, NewPrefix } from "../clients.ts";
import { type InterfaceId, overlaps, parseInterfaceId } from "../prefix.ts";
import { numberProblem, typeName } from "./settings.ts";
import type { TomlNode, TomlTable } from "./toml.ts";

export interface PrefixOptions {
  /** The client's own hosts, and what narrows it down. */
  client: Pick<NewClient, "hosts" | "limits">;
  /** The host with this name; a fault that begins with the place, and none, if it is no name. */
  readHost: (line: number, name: string, place: string) => NewClient["hosts"];
  onFault: (line: number, problem: string) => void;
}

/** An example that is right. */
const EXPECTED = 'expected { length = 64, hosts = { "HOST" = "::1a2b:3c4d:5e6f:7890" } }';
const LENGTH_RANGE = { least: 1, most: 128, isWhole: true };

/** Reads the setting; undefined if it is at fault. No fault repeats any of the text. */
export function readPrefix(
  { line, value }: TomlNode,
  { client: { hosts: own, limits }, readHost, onFault }: PrefixOptions,
): NewPrefix | undefined {
  const fault = (line: number, problem: string) => onFault(line, `prefix: ${problem}`);
  if (!(value instanceof Map)) return void fault(line, `${EXPECTED}, got ${typeName(value)}`);
  const table = value as TomlTable;
  if ([...table.keys()].some((name) => name !== "length" && name !== "hosts")) {
    return void fault(line, `${EXPECTED}, and nothing else in it`);
  }
  if (limits?.family === 4) fault(line, "the client's families have no ipv6");
  const length = readLength(table.get("length"));
  const hosts = readHosts(table.get("hosts"));
  return length === undefined || hosts === undefined ? undefined : { length, hosts };

  function readLength(node: TomlNode | undefined): number | undefined {
    if (node === undefined) return void fault(line, `length is missing: ${EXPECTED}`);
    const problem = numberProblem(node.value, LENGTH_RANGE);
    if (problem === undefined) return node.value as number;
    fault(node.line, `length: ${problem}`);
  }

  function readHosts(node: TomlNode | undefined): NewPrefix["hosts"] | undefined {
    if (node === undefined) return void fault(line, `hosts is missing: ${EXPECTED}`);
    if (!(node.value instanceof Map) || node.value.size === 0) {
      const got = node.value instanceof Map ? "an empty table" : typeName(node.value);
      return void fault(node.line, `hosts: ${EXPECTED}, got ${got}`);
    }
    const seen = new Set(own.map(({ name }) => name));
    return [...node.value as TomlTable].flatMap(([text, { line, value }], i) => {
      // Not by its name: what is listed here by mistake may be a key.
      const place = `hosts, number ${i + 1}: `;
      if (value instanceof Map) {
        fault(line, `${place}a name with a dot needs quotes`);
        return [];
      }
      const id = readId(line, value, place);
      return readHost(line, text, `prefix: ${place}`).flatMap((host) => {
        if (seen.has(host.name)) {
          fault(line, `${place}this host is listed twice, or is one of the client's own as well`);
        }
        seen.add(host.name);
        return id === undefined ? [] : [{ ...host, id }];
      });
    });
  }

  function readId(line: number, value: unknown, place: string): InterfaceId | undefined {
    if (typeof value !== "string") {
      const example = '"HOST" = "::1a2b:3c4d:5e6f:7890"';
      return void fault(line, `${place}expected ${example}, got ${typeName(value)}`);
    }
    try {
      const id = parseInterfaceId(value);
      if (length === undefined || !overlaps(id, length)) return id;
      const own = `bits among the first ${length}, which the prefix has`;
      fault(line, `${place}the interface id has ${own}: leave them zero, or make length smaller`);
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      fault(line, `${place}${error.message}`);
    }
  }
}
