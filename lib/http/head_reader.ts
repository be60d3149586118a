/** The heads of a connection's requests, one after the other, and nothing else of it. */

import {
  endOfEmptyLines,
  endOfHead,
  MAX_HEAD,
  parseHead,
  type Refusal,
  type RequestHead,
} from "./request_head.ts";

export class HeadReader {
  readonly #conn: Pick<Deno.Conn, "read">;
  #buffer: Uint8Array;
  /** What was read and is not taken yet. */
  #start = 0;
  #end = 0;

  /** @param buffer for a head as long as they usually are */
  constructor(conn: Pick<Deno.Conn, "read">, buffer: Uint8Array) {
    this.#conn = conn;
    this.#buffer = buffer;
  }

  /** Whether something came behind the latest head. */
  get hasMore(): boolean {
    return this.#start < this.#end;
  }

  /**
   * Reads the next head.
   *
   * @param onStart called when its first octets have come
   * @returns undefined if the connection ends before it is whole
   */
  async next(onStart = () => {}): Promise<RequestHead | Refusal | undefined> {
    if (this.hasMore) this.#buffer.copyWithin(0, this.#start, this.#end);
    let length = this.#end - this.#start;
    this.#start = this.#end = 0;
    let isStarted = length > 0;
    if (isStarted) onStart();
    for (let start = 0, looked = 0;;) {
      const bytes = this.#buffer.subarray(0, length);
      if (start === looked) looked = start = endOfEmptyLines(bytes, start);
      const end = endOfHead(bytes.subarray(start), looked - start);
      if (length > MAX_HEAD && (end === undefined || start + end > MAX_HEAD)) return 431;
      if (end !== undefined) {
        [this.#start, this.#end] = [start + end, length];
        return parseHead(bytes.subarray(start, start + end));
      }
      looked = length;
      if (length === this.#buffer.length) this.#grow();
      const count = await this.#conn.read(this.#buffer.subarray(length));
      if (count === null) return undefined;
      length += count;
      if (!isStarted) onStart();
      isStarted = true;
    }
  }

  /** One octet more than may be tells that a head is too long. */
  #grow(): void {
    const larger = new Uint8Array(Math.min(2 * this.#buffer.length, MAX_HEAD + 1));
    larger.set(this.#buffer);
    this.#buffer = larger;
  }
}
