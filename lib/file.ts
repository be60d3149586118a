/** Files that sftdyn is told to read. */

import { errorMessage } from "./error_message.ts";

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
export async function readText(path: string, readFile: ReadFile = Deno.readFile): Promise<string> {
  let bytes;
  try {
    bytes = await readFile(path);
  } catch (error) {
    throw new FileError(reason(error));
  }
  let text;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw new FileError("not a text file: it is not UTF-8");
  }
  // deno-lint-ignore no-control-regex
  const control = /[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]/.exec(text);
  if (control === null) return text;
  const hex = control[0].charCodeAt(0).toString(16).padStart(2, "0");
  const line = text.slice(0, control.index).split("\n").length;
  throw new FileError(`not a text file: byte 0x${hex} in line ${line}`);
}

/** A path as seen from the folder of another file. */
export function relativeTo(file: string, path: string): string {
  if (path.startsWith("/")) return path;
  const slash = file.lastIndexOf("/");
  return slash < 0 ? path : `${file.slice(0, slash + 1)}${path}`;
}

function reason(error: unknown): string {
  if (error instanceof Deno.errors.NotFound) return "no such file";
  if (error instanceof Deno.errors.PermissionDenied) return "permission denied";
  if (error instanceof Deno.errors.IsADirectory) return "it is a directory";
  if (error instanceof Deno.errors.NotCapable) {
    return "Deno lets no program read what is below /dev, /proc and /sys";
  }
  return errorMessage(error);
}
