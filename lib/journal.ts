/** Whether the log goes to systemd's journal. */

const STDERR = 2;

type Fstat = (fd: number) => { dev: bigint; ino: bigint };

/**
 * Whether stderr is the journal's stream: JOURNAL_STREAM names its device and
 * inode, and is inherited also by those whose stderr goes elsewhere
 * (systemd.exec(5)). Deno itself would need permission to write for a stat of stderr.
 *
 * @param stream JOURNAL_STREAM's value
 */
export async function isJournal(stream: string | undefined, fstat?: Fstat): Promise<boolean> {
  if (stream === undefined) return false;
  fstat ??= await nodeFstat();
  try {
    const { dev, ino } = fstat(STDERR);
    return stream === `${dev}:${ino}`;
  } catch {
    // It is closed.
    return false;
  }
}

/** It loads much of Node: without the variable, sftdyn starts faster. */
async function nodeFstat(): Promise<Fstat> {
  const { fstatSync } = await import("node:fs");
  return (fd) => fstatSync(fd, { bigint: true });
}
