/** A long text as it is sent, made in parts. */

const encoder = new TextEncoder();
/** Characters that are encoded at a time. */
const PART = 32 * 1024;

export class LongText {
  readonly #parts: Uint8Array[] = [];
  #length = 0;
  #text = "";

  add(text: string): void {
    this.#text += text;
    if (this.#text.length >= PART) this.#encode();
  }

  /** All of another, which is not to grow any more. */
  append(other: LongText): void {
    other.#encode();
    this.#encode();
    this.#parts.push(...other.#parts);
    this.#length += other.#length;
  }

  /** All of it in UTF-8. */
  bytes(): Uint8Array {
    this.#encode();
    const bytes = new Uint8Array(this.#length);
    let at = 0;
    for (const part of this.#parts) {
      bytes.set(part, at);
      at += part.length;
    }
    return bytes;
  }

  #encode(): void {
    const part = encoder.encode(this.#text);
    this.#parts.push(part);
    this.#length += part.length;
    this.#text = "";
  }
}
