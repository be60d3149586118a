/** Files that sftdyn is told to read. */

import { errorMessage } from "./error_message.ts";
import { permissionDenied } from "./permission_denied.ts";
import { atOnce, type Work } from "./slices.ts";
import { withRoom } from "./with_room.ts";

/** Reads a file's bytes, as Deno.readFile does. */
export type ReadFile = (path: string) => Promise<Uint8Array>;

/** A file cannot be used; the message says why, without its name. */
export class FileError extends Error {
  override name = "FileError";
}

/**
 * Reads a text file.
 *
 * @throws {FileError} it cannot be read, or is no UTF-8 text
 */
export async function readText(path: string, readFile?: ReadFile): Promise<string> {
  const octets = await readOctets(path, readFile);
  atOnce(checkText(octets));
  return new TextDecoder().decode(octets);
}

/**
 * Reads a file that need not be text.
 *
 * @throws {FileError} it cannot be read
 */
export async function readOctets(
  path: string,
  readFile: ReadFile = readInParts,
): Promise<Uint8Array> {
  try {
    return await readFile(path);
  } catch (error) {
    if (error instanceof Deno.errors.PermissionDenied) {
      throw new FileError(await permissionDenied(path));
    }
    throw new FileError(reason(error));
  }
}

/** Reads a file's bytes, if they are not more than these. */
export function readAtMost(most: number): ReadFile {
  return (path) => readInParts(path, most);
}

/** As Deno.readFile, but a big file is neither in memory twice nor holds all else up. */
async function readInParts(path: string, most = Infinity): Promise<Uint8Array> {
  using file = await Deno.open(path);
  const { size } = await file.stat();
  let octets = new Uint8Array(Math.min(size, most) + 1);
  for (let end = 0;;) {
    if (end > most) throw new FileError(`it is too large: expected at most ${most} bytes`);
    const count = await file.read(octets.subarray(end, end + PART));
    if (count === null) return octets.subarray(0, end);
    end += count;
    octets = withRoom(octets, end + 1);
  }
}

const PART = 2 ** 20;
/** Octets that are looked at in one step. */
const CHUNK = 2 ** 16;
const NEWLINE = 0x0a;

/**
 * Looks whether it is text.
 *
 * @throws {FileError} it is no UTF-8 text
 */
export function* checkText(octets: Uint8Array): Work {
  const decoder = new TextDecoder();
  for (let start = 0, end; start < octets.length; start = end) {
    // No character goes over the end of a line.
    end = octets.indexOf(NEWLINE, start + CHUNK) + 1 || octets.length;
    const chunk = octets.subarray(start, end);
    const text = decoder.decode(chunk);
    if (text.includes("\ufffd") && !isUtf8(chunk)) {
      const line = lineOf(octets, badLine(octets, start));
      throw new FileError(`not a text file: line ${line} is not UTF-8`);
    }
    // deno-lint-ignore no-control-regex
    const control = /[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]/.exec(text);
    if (control !== null) {
      const hex = control[0].charCodeAt(0).toString(16).padStart(2, "0");
      const line = lineOf(octets, octets.indexOf(control[0].charCodeAt(0), start));
      throw new FileError(`not a text file: byte 0x${hex} in line ${line}`);
    }
    yield;
  }
}

/** Where the first line begins, from this one on, that is no UTF-8. */
function badLine(octets: Uint8Array, start: number): number {
  for (;;) {
    const end = octets.indexOf(NEWLINE, start) + 1;
    if (end === 0 || !isUtf8(octets.subarray(start, end))) return start;
    start = end;
  }
}

/** The number of the line that holds this octet, from 1. */
function lineOf(octets: Uint8Array, at: number): number {
  let line = 1;
  for (let i = octets.indexOf(NEWLINE); i >= 0 && i < at; i = octets.indexOf(NEWLINE, i + 1)) {
    line++;
  }
  return line;
}

function isUtf8(octets: Uint8Array): boolean {
  try {
    new TextDecoder("utf-8", { fatal: true }).decode(octets);
    return true;
  } catch {
    return false;
  }
}

/** A path as seen from the folder of another file. */
export function relativeTo(file: string, path: string): string {
  if (path.startsWith("/")) return path;
  const slash = file.lastIndexOf("/");
  return slash < 0 ? path : `${file.slice(0, slash + 1)}${path}`;
}

function reason(error: unknown): string {
  if (error instanceof Deno.errors.NotFound) return "no such file";
  if (error instanceof Deno.errors.IsADirectory) return "it is a directory";
  if (error instanceof Deno.errors.NotCapable) {
    return "Deno lets no program read what is below /dev, /proc and /sys";
  }
  return errorMessage(error);
}
