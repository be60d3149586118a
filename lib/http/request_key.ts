/** The update key in a request target: it may be all of it, or have a query behind it. */

import type { Client } from "../clients.ts";
import { decodeBase64 } from "./base64.ts";
import { twoInOne } from "./request_addresses.ts";

/** Whose request it is. */
export interface KeyFound {
  readonly client: Client;
  readonly key: string;
  /** What the request says behind the key; "" if that may say nothing. */
  readonly query: string;
}

/** Who has a key; undefined if nobody does. */
type Find = (key: string) => Client | undefined;

/** A stranger makes us look up that many, and none that is longer. */
const MAX_QUESTION_MARKS = 4;
const MAX_LENGTH = 1024;

/** Scheme and authority, where a target is a whole URL. */
const ORIGIN = /^https?:\/\/[^/?#]*/i;

/**
 * The update key in a request: its target as the client sent it, query string
 * and all, without the slashes at its start; "" if there is none.
 */
export function keyOf(target: string): string {
  let start = target.startsWith("/") ? 0 : ORIGIN.exec(target)?.[0].length ?? 0;
  while (target[start] === "/") start++;
  const key = target.slice(start);
  return key === "?" ? "" : key;
}

/** Whose key this is, or the part of it before a query of a client that may have one. */
export function findKey(text: string, find: Find): KeyFound | undefined {
  return findWhole(text, find) ?? findInTwo(text, find) ?? findWithQuery(text, find);
}

function findWhole(text: string, find: Find): KeyFound | undefined {
  const client = find(text);
  if (client !== undefined) return { client, key: text, query: "" };
  // Some routers insist on a query string, be it an empty one.
  if (text.indexOf("?") !== text.length - 1) return undefined;
  const key = text.slice(0, -1);
  const other = find(key);
  return other && { client: other, key, query: "" };
}

function findInTwo(text: string, find: Find): KeyFound | undefined {
  const [first, second] = twoInOne(text) ?? [];
  if (first === undefined || first === "" || first.length > MAX_LENGTH) return undefined;
  const found = findWhole(first, find) ?? findWithQuery(first, find);
  if (found === undefined) return undefined;
  const { client, key, query } = found;
  // What is asked for with another key is another request, which this model cannot make.
  const isSame = client.address === "request" && second!.startsWith(`${key}?`);
  return isSame ? { ...found, query: `${query}&${second!.slice(key.length + 1)}` } : found;
}

/** Of clients that may name addresses. */
function findWithQuery(text: string, find: Find): KeyFound | undefined {
  let end = text.length;
  for (let left = MAX_QUESTION_MARKS; end > 0 && left >= 0; left--) {
    const query = text.slice(end + 1);
    if (end <= MAX_LENGTH) {
      for (const key of formsOf(text.slice(0, end))) {
        // As a whole it is nobody's.
        const client = key === "" || key === text ? undefined : find(key);
        if (client?.address === "request") return { client, key, query };
      }
    }
    end = text.lastIndexOf("?", end - 1);
  }
}

/** `<b64>…</b64>`, where a FRITZ!Box fills in the Base64 form, or does not know that it should. */
const B64 = /^(?:<|%3C)b64(?:>|%3E)(.*)(?:<|%3C)(?:\/|%2F)b64(?:>|%3E)$/i;

/** What may be meant: the text itself, and what is in it as Base64, alone or behind a user's name. */
function* formsOf(text: string): Generator<string> {
  yield text;
  const unfilled = B64.exec(text)?.[1];
  if (unfilled !== undefined) yield* [unfilled, passwordOf(unfilled)];
  const decoded = decodeBase64(text);
  if (decoded !== undefined) yield* [decoded, passwordOf(decoded)];
}

function passwordOf(text: string): string {
  return text.slice(text.indexOf(":") + 1);
}
