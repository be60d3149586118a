/** An answer of ours, and its octets (RFC 9112). */

import { STATUS_TEXT } from "@std/http/status";

export interface Answer {
  readonly status: keyof typeof STATUS_TEXT;
  /** Text; null if there is none. */
  readonly body: string | null;
  /** Besides those that every answer has. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
}

const encoder = new TextEncoder();

/**
 * The octets of an answer, which is never cached.
 *
 * @param isLast whether the connection is closed behind it
 */
export function answerBytes(
  { status, body, headers = {} }: Answer,
  isLast: boolean,
): Uint8Array<ArrayBuffer> {
  let text = `HTTP/1.1 ${status} ${STATUS_TEXT[status]}\r\ncache-control: no-store\r\n`;
  for (const name in headers) text += `${name}: ${headers[name]}\r\n`;
  if (body !== null) text += "content-type: text/plain;charset=UTF-8\r\n";
  // A server that has a clock says the time (RFC 9110, section 6.6.1).
  text += `date: ${httpDate()}\r\n`;
  if (isLast) text += "connection: close\r\n";
  return encoder.encode(`${text}content-length: ${octets(body ?? "")}\r\n\r\n${body ?? ""}`);
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
