/** `networks`, `families` and `private` of a client's table. */

import type { Address, Network } from "../address.ts";
import { parseNetwork } from "../address.ts";
import type { ClientLimits } from "../client_limits.ts";
import { typeName } from "./settings.ts";
import type { TomlTable } from "./toml.ts";

/** The names of the settings. */
export const CLIENT_LIMITS = ["networks", "families", "private"] as const;

const FAMILIES = new Map<unknown, Address["family"]>([["ipv4", 4], ["ipv6", 6]]);

/** The limits that the table sets; undefined if there are none. No fault repeats any of the text. */
export function readLimits(
  table: TomlTable,
  onFault: (line: number, problem: string) => void,
): ClientLimits | undefined {
  const limits: { -readonly [name in keyof ClientLimits]: ClientLimits[name] } = {};
  for (const name of CLIENT_LIMITS) {
    const node = table.get(name);
    if (node === undefined) continue;
    try {
      if (name === "networks") limits.networks = networksOf(node.value);
      else if (name === "families") limits.family = familyOf(node.value);
      else limits.isPublicOnly = isPublicOnly(node.value);
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      onFault(node.line, `${name}: ${error.message}`);
    }
  }
  const { networks, family, isPublicOnly: publicOnly } = limits;
  const isAny = networks !== undefined || family !== undefined || publicOnly === true;
  return isAny ? limits : undefined;
}

function networksOf(value: unknown): Network[] {
  const expected = 'expected a list of addresses and CIDRs like ["203.0.113.0/24"]';
  if (!Array.isArray(value)) throw new RangeError(`${expected}, got ${typeName(value)}`);
  if (value.length === 0) throw new RangeError(`the list is empty: ${expected}`);
  return value.map((text: unknown) => {
    if (typeof text !== "string") throw new RangeError(`${expected}, got ${typeName(text)}`);
    const network = parseNetwork(text);
    if (network === undefined) throw new RangeError(`${expected}, got another string`);
    return network;
  });
}

function familyOf(value: unknown): Address["family"] | undefined {
  const expected = 'expected ["ipv4"], ["ipv6"] or both';
  if (!Array.isArray(value)) throw new RangeError(`${expected}, got ${typeName(value)}`);
  if (value.length === 0) throw new RangeError(`the list is empty: ${expected}`);
  const families = new Set(value.map((text: unknown) => {
    const family = FAMILIES.get(text);
    if (family !== undefined) return family;
    throw new RangeError(
      `${expected}, got ${typeof text === "string" ? "another string" : typeName(text)}`,
    );
  }));
  return families.size === 1 ? [...families][0] : undefined;
}

function isPublicOnly(value: unknown): boolean {
  if (typeof value !== "boolean") {
    throw new RangeError(`expected true or false, got ${typeName(value)}`);
  }
  return !value;
}
