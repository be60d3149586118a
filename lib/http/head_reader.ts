/** The head of a connection's next request, and nothing else of it. */

import {
  endOfEmptyLines,
  endOfHead,
  MAX_HEAD,
  parseHead,
  type Refusal,
  type RequestHead,
} from "./request_head.ts";

export interface ReadHead {
  head: RequestHead | Refusal;
  /** Whether something came behind it. */
  hasMore: boolean;
}

export interface ReadHeadOptions {
  /** For a head as long as they usually are. */
  buffer: Uint8Array;
  /** Whether lines must end as the standard says. */
  isStrict?: boolean;
  /** Called when the first octets of the head have come. */
  onStart?: () => void;
}

/**
 * Reads a head.
 *
 * @returns undefined if the connection ends before it is whole
 */
export async function readHead(
  conn: Pick<Deno.Conn, "read">,
  { buffer, isStrict = false, onStart = () => {} }: ReadHeadOptions,
): Promise<ReadHead | undefined> {
  let isStarted = false;
  for (let start = 0, looked = 0, length = 0;;) {
    const count = await conn.read(buffer.subarray(length));
    if (count === null) return undefined;
    length += count;
    const bytes = buffer.subarray(0, length);
    if (start === looked) looked = start = endOfEmptyLines(bytes, start);
    if (!isStarted && start < length) {
      isStarted = true;
      onStart();
    }
    const end = endOfHead(bytes.subarray(start), looked - start);
    if (length > MAX_HEAD && (end === undefined || start + end > MAX_HEAD)) {
      return { head: 431, hasMore: true };
    }
    if (end !== undefined) {
      const head = parseHead(bytes.subarray(start, start + end), isStrict);
      return { head, hasMore: start + end < length };
    }
    looked = length;
    if (length === buffer.length) {
      // One octet more than may be tells that a head is too long.
      const larger = new Uint8Array(Math.min(2 * length, MAX_HEAD + 1));
      larger.set(buffer);
      buffer = larger;
    }
  }
}
