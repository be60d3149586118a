/** What an administrator does where sftdyn may not read a file. */

/** How often a link may lead on to another. */
const MOST_LINKS = 8;

export interface PermissionDeniedOptions {
  /** The name of the user that sftdyn runs as; undefined if nothing says it. */
  user?: string | undefined;
  lstat?: (path: string) => Promise<unknown>;
  readLink?: (path: string) => Promise<string>;
  /** The group, unless it is root's, whose members have a right to a path. */
  groupWith?: (path: string, right: "r" | "x") => Promise<string | undefined>;
}

/** Says who may not read what, and the command that mends it. */
export async function permissionDenied(
  path: string,
  {
    // Set by systemd, runuser, sudo and a login.
    user = Deno.env.get("USER"),
    lstat = Deno.lstat,
    readLink = Deno.readLink,
    groupWith = readGroupWith,
  }: PermissionDeniedOptions = {},
): Promise<string> {
  const { folder, file } = await obstacle(path, { lstat, readLink });
  const obstructive = folder ?? file;
  const who = user === undefined ? "this user" : `user ${user}`;
  const what = folder === undefined ? `read ${file}` : `enter ${folder}`;
  const right = folder === undefined ? "r" : "x";
  const group = await groupWith(obstructive!, right);
  // Another group of the file's would take it from those that it is for.
  if (group !== undefined && group !== user) {
    return `permission denied: ${who} may not ${what}, but group ${group} may: ` +
      `usermod -aG ${group} ${user ?? "USER"}`;
  }
  const name = quoted(obstructive!);
  return `permission denied: ${who} may not ${what}: ` +
    `chgrp ${user ?? "GROUP"} ${name} && chmod g+${right} ${name}`;
}

async function readGroupWith(path: string, right: "r" | "x"): Promise<string | undefined> {
  try {
    const { gid, mode } = await Deno.stat(path);
    if (!gid || ((mode ?? 0) & (right === "r" ? 0o040 : 0o010)) === 0) return undefined;
    const groups = await Deno.readTextFile("/etc/group");
    return new RegExp(`^([^:]+):[^:]*:${gid}:`, "m").exec(groups)?.[1];
  } catch {
    return undefined;
  }
}

interface Obstacle {
  folder?: string;
  file?: string;
}

/** The folder that cannot be entered on the way to a file, or the file itself. */
async function obstacle(
  path: string,
  system: Required<Pick<PermissionDeniedOptions, "lstat" | "readLink">>,
): Promise<Obstacle> {
  for (let links = 0; links <= MOST_LINKS; links++) {
    const next = await step(path, system);
    if (typeof next !== "string") return next;
    path = next;
  }
  return { file: path };
}

/** The obstacle on a path, or where a link on it leads. */
async function step(
  path: string,
  { lstat, readLink }: Required<Pick<PermissionDeniedOptions, "lstat" | "readLink">>,
): Promise<Obstacle | string> {
  for (let end = 0; end < path.length;) {
    const slash = path.indexOf("/", end + 1);
    end = slash < 0 ? path.length : slash;
    const part = path.slice(0, end);
    const folder = part.slice(0, Math.max(part.lastIndexOf("/"), part.startsWith("/") ? 1 : 0));
    try {
      await lstat(part);
    } catch (error) {
      return error instanceof Deno.errors.PermissionDenied
        ? { folder: folder || "." }
        : { file: path };
    }
    const link = await readLink(part).catch(() => undefined);
    if (link !== undefined) {
      const from = folder === "" || folder.endsWith("/") ? folder : `${folder}/`;
      return `${link.startsWith("/") ? link : `${from}${link}`}${path.slice(end)}`;
    }
  }
  return { file: path };
}

/** A path as a shell takes it. */
function quoted(path: string): string {
  return /^[\w./@%+:,-]+$/.test(path) ? path : `'${path.replaceAll("'", "'\\''")}'`;
}
