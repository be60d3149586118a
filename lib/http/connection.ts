/** What is done with an open connection: written whole, copied, closed. */

/** Writes all of it; throws what `write` throws. */
export async function writeAll(conn: Pick<Deno.Conn, "write">, bytes: Uint8Array): Promise<void> {
  let written = await conn.write(bytes);
  while (written < bytes.length) written += await conn.write(bytes.subarray(written));
}

/** Octets at a time: small, as there may be thousands of connections. */
const CHUNK = 4096;

/**
 * Copies until one side ends it, in whatever way.
 *
 * @param onRead called before anything is written
 */
export async function copy(from: Deno.Conn, to: Deno.Conn, onRead = () => {}): Promise<void> {
  const chunk = new Uint8Array(CHUNK);
  try {
    for (let count; (count = await from.read(chunk)) !== null;) {
      onRead();
      await writeAll(to, chunk.subarray(0, count));
    }
  } catch {
    // Reset, or closed by us.
  }
}

/** Closes what may be closed already. */
export function close(conn: { close(): void }): void {
  try {
    conn.close();
  } catch {
    // It is.
  }
}
