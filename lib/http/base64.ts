/** Text in Base64 (RFC 4648, section 4), its padding left out or not. */

const BASE64 = /^[A-Za-z0-9+/]+={0,2}$/;
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** @returns undefined if it is no Base64, or no UTF-8 in it */
export function decodeBase64(text: string): string | undefined {
  if (!BASE64.test(text)) return undefined;
  try {
    return decoder.decode(Uint8Array.from(atob(text), (char) => char.charCodeAt(0)));
  } catch {
    return undefined;
  }
}
