/** Whether files have changed, and what is wrong with them, told once. */

export type FileStamp = Pick<Deno.FileInfo, "mtime" | "ctime" | "size" | "ino">;
export type StatFile = (path: string) => Promise<FileStamp>;

/** What is another after each change of the file, also if another takes its place. */
export function versionOf({ mtime, ctime, size, ino }: FileStamp): string {
  return `${mtime?.getTime()}.${ctime?.getTime()}.${size}.${ino}`;
}

/** The versions of several files; "none" of one that cannot be found. */
export async function versionsOf(paths: readonly string[], stat: StatFile): Promise<string> {
  const versions = await Promise.all(paths.map((path) => stat(path).then(versionOf, () => "none")));
  return versions.join(" ");
}

/** Tells a fault of files that stays from poll to poll only once, until they or the fault change. */
export class StayingFault {
  readonly #tell: (message: string) => void;
  readonly #patience: number;
  /** How often in a row there was one. */
  #polls = 0;
  #told: string | undefined;
  #message: string | undefined;

  /** @param patience polls in a row at which there is a fault until it is told */
  constructor(tell: (message: string) => void, patience = 1) {
    this.#tell = tell;
    this.#patience = patience;
  }

  /** There is a fault. */
  add(version: string, message: string): void {
    this.#polls++;
    const fault = `${version} ${message}`;
    if (this.#polls < this.#patience || fault === this.#told) return;
    this.#told = fault;
    this.#message = message;
    this.#tell(message);
  }

  /** There is none. */
  clear(): void {
    this.#polls = 0;
    this.#told = undefined;
    this.#message = undefined;
  }

  /** What was told last, while it stays. */
  get message(): string | undefined {
    return this.#message;
  }
}
