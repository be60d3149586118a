/** Files that sftdyn is told to read. */

import { errorMessage } from "./error_message.ts";
import { type FileStamp, versionOf } from "./file_watch.ts";
import { permissionDenied } from "./permission_denied.ts";
import { atOnce, type Work } from "./slices.ts";
import { withRoom } from "./with_room.ts";

/** Reads a file's bytes, as Deno.readFile does. */
export type ReadFile = (path: string) => Promise<Uint8Array>;

/** Opens a file to read, as Deno.open does. */
export type OpenFile = (path: string) => Promise<Pick<Deno.FsFile, "read" | "close">>;

/** A file cannot be used; the message says why, without its name. */
export class FileError extends Error {
  override name = "FileError";
}

/** A file cannot be read now, which may be otherwise without a change of it. */
export class FileAccessError extends FileError {}

/** A file has changed while it was read. */
export class FileChangedError extends FileAccessError {
  override name = "FileChangedError";
  constructor() {
    super("it is being written: it changed each time while it was read");
  }
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
    throw new FileError(await reason(error, path));
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
  const linesBefore = (start: number) => {
    let lines = 0;
    for (let at = 0; (at = octets.indexOf(NEWLINE, at) + 1) > 0 && at <= start;) lines++;
    return lines;
  };
  for (let start = 0, end; start < octets.length; start = end) {
    // No character goes over the end of a line.
    end = octets.indexOf(NEWLINE, start + CHUNK) + 1 || octets.length;
    decodeLines(octets.subarray(start, end), () => linesBefore(start));
    yield;
  }
}

const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/** @throws {FileError} it is no UTF-8 text */
function decodeLines(octets: Uint8Array, linesBefore: () => number): string {
  const text = decoder.decode(octets);
  if (text.includes("\ufffd") && !isUtf8(octets)) {
    const line = linesBefore() + badLine(octets);
    throw new FileError(`not a text file: line ${line} is not UTF-8`);
  }
  // deno-lint-ignore no-control-regex
  const control = /[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]/.exec(text);
  if (control === null) return text;
  const hex = control[0].charCodeAt(0).toString(16).padStart(2, "0");
  const line = linesBefore() + text.slice(0, control.index).split("\n").length;
  throw new FileError(`not a text file: byte 0x${hex} in line ${line}`);
}

/** The number of the line, from 1, that is no UTF-8. */
function badLine(octets: Uint8Array): number {
  for (let line = 1, start = 0;; line++) {
    const end = octets.indexOf(NEWLINE, start) + 1;
    if (end === 0 || !isUtf8(octets.subarray(start, end))) return line;
    start = end;
  }
}

export interface ReadLinesOptions {
  /** Octets that it may have. */
  most: number;
  open?: OpenFile | undefined;
  stat?: ((path: string) => Promise<FileStamp & FileKind>) | undefined;
}

type FileKind = Pick<Deno.FileInfo, "isFile" | "isDirectory">;

/** Octets of a piece, and of the longest line. */
const PIECE = 2 ** 18;

/**
 * Reads a text file that is too big for one string: a few thousand lines at a
 * time, without their ends. Returns the version of the file that was read.
 *
 * @throws {FileError} it cannot be read, is too big, or is no UTF-8 text
 * @throws {FileChangedError}
 */
export async function* readLines(
  path: string,
  { most, open = Deno.open, stat = Deno.stat }: ReadLinesOptions,
): AsyncGenerator<string[], string> {
  let file;
  try {
    const info = await stat(path);
    if (info.isDirectory) throw new FileError("it is a directory");
    // To open anything else may take for ever, as with a pipe that nobody writes to.
    if (!info.isFile) throw new FileError("it is not a regular file");
    if (info.size > most) {
      throw new FileError(
        `it has ${megabytes(info.size)} MB, at most ${megabytes(most)} MB are read`,
      );
    }
    file = await open(path);
    let size = 0, lines = 0;
    for await (const octets of pieces(file, () => lines + 1)) {
      size += octets.length;
      // One that grows while it is read may have no end.
      if (size > info.size) throw new FileChangedError();
      const text = decodeLines(octets, () => lines);
      const piece = (lines === 0 ? text.replace(/^\ufeff/, "") : text).split("\n");
      if (text.endsWith("\n")) piece.pop();
      lines += piece.length;
      yield piece;
    }
    const version = versionOf(info);
    const isSame = await stat(path).then((now) => versionOf(now) === version, () => false);
    if (!isSame || size !== info.size) throw new FileChangedError();
    return version;
  } catch (error) {
    throw error instanceof FileError ? error : new FileAccessError(await reason(error, path));
  } finally {
    file?.close();
  }
}

/** All that is in a file, whole lines each time, until the next call. */
async function* pieces(
  file: Pick<Deno.FsFile, "read">,
  line: () => number,
): AsyncGenerator<Uint8Array> {
  const buffer = new Uint8Array(PIECE);
  for (let length = 0;;) {
    const count = await file.read(buffer.subarray(length));
    if (count === null) {
      if (length > 0) yield buffer.subarray(0, length);
      return;
    }
    length += count;
    if (length < PIECE) continue;
    const end = buffer.lastIndexOf(NEWLINE) + 1;
    if (end === 0) throw new FileError(`line ${line()} has more than ${PIECE} bytes`);
    yield buffer.subarray(0, end);
    buffer.copyWithin(0, end, length);
    length -= end;
  }
}

function megabytes(octets: number): number {
  return Math.ceil(octets / 2 ** 20);
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

async function reason(error: unknown, path: string): Promise<string> {
  if (error instanceof Deno.errors.PermissionDenied) return await permissionDenied(path);
  if (error instanceof Deno.errors.NotFound) return "no such file";
  if (error instanceof Deno.errors.IsADirectory) return "it is a directory";
  if (error instanceof Deno.errors.NotCapable) {
    return "Deno lets no program read what is below /dev, /proc and /sys";
  }
  return errorMessage(error);
}
