/** An answer of ours, and its octets (RFC 9112). */

import { STATUS_TEXT } from "@std/http/status";

export interface Answer {
  readonly status: keyof typeof STATUS_TEXT;
  /** Text, or that of a long one in UTF-8; null if there is none. */
  readonly body: string | Uint8Array | null;
  /** Besides those that every answer has. A content-type is instead of that of plain text. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
}

const encoder = new TextEncoder();

const PLAIN = "text/plain;charset=UTF-8";

/**
 * The octets of an answer, which is never cached; without the body, if that is in octets.
 *
 * @param isLast whether the connection is closed behind it
 */
export function answerBytes(
  { status, body, headers = {} }: Answer,
  isLast: boolean,
): Uint8Array<ArrayBuffer> {
  let text = `HTTP/1.1 ${status} ${STATUS_TEXT[status]}\r\ncache-control: no-store\r\n`;
  for (const name in headers) text += `${name}: ${headers[name]}\r\n`;
  if (body !== null && !("content-type" in headers)) text += `content-type: ${PLAIN}\r\n`;
  // A server that has a clock says the time (RFC 9110, section 6.6.1).
  text += `date: ${httpDate()}\r\n`;
  if (isLast) text += "connection: close\r\n";
  const isText = typeof body === "string";
  const length = isText ? octets(body) : body?.length ?? 0;
  return encoder.encode(`${text}content-length: ${length}\r\n\r\n${isText ? body : ""}`);
}

function octets(text: string): number {
  return /[^\0-\x7f]/.test(text) ? encoder.encode(text).length : text.length;
}

/** Of this second: to make it takes a while. */
const date = { second: NaN, text: "" };

function httpDate(): string {
  const now = Date.now();
  const second = Math.floor(now / 1000);
  if (second !== date.second) [date.second, date.text] = [second, new Date(now).toUTCString()];
  return date.text;
}
