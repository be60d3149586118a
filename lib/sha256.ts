/**
 * SHA-256 (FIPS 180-4) of short texts. Web Crypto's cannot be had at once, and
 * node:crypto's costs every start 25 ms and 7 MB (Deno 2.9), which is more than
 * all the rest of sftdyn does there.
 */

/** The first 32 bits of the fractional parts of the cube roots of the first 64 primes (4.2.2). */
// deno-fmt-ignore
const K = new Int32Array([
  0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
  0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
  0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
  0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
  0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
  0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
  0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
  0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
]);

/** Of the square roots of the first eight (5.3.3). */
const H = Int32Array.of(
  0x6a09e667,
  0xbb67ae85,
  0x3c6ef372,
  0xa54ff53a,
  0x510e527f,
  0x9b05688c,
  0x1f83d9ab,
  0x5be0cd19,
);

/** Octets of a block, and those that padding adds at least: a one bit and the length (5.1.1). */
const BLOCK = 64;
const PADDING = 9;

const encoder = new TextEncoder();
const schedule = new Int32Array(64);
const state = new Int32Array(H.length);
/** A key's, and again and again the same: what each call would leave behind is 100 octets. */
let padded = new DataView(new ArrayBuffer(8 * BLOCK));

/** The SHA-256 of a text's UTF-8 form, in lower-case hex. */
export function sha256(text: string): string {
  sha256Words(text);
  for (let i = 0; i < state.length; i++) padded.setInt32(i * 4, state[i]!);
  return new Uint8Array(padded.buffer, 0, 32).toHex();
}

/** The SHA-256 as eight words, until the next call. */
export function sha256Words(text: string): Int32Array {
  // No character takes more than three octets of UTF-8 for each of UTF-16's units.
  const most = text.length * 3 + PADDING + BLOCK;
  if (most > padded.byteLength) padded = new DataView(new ArrayBuffer(most));
  const octets = new Uint8Array(padded.buffer);
  const { written: length } = encoder.encodeInto(text, octets);
  const end = Math.ceil((length + PADDING) / BLOCK) * BLOCK;
  octets[length] = 0x80;
  octets.fill(0, length + 1, end);
  padded.setUint32(end - 8, length / 2 ** 29);
  padded.setUint32(end - 4, length << 3);
  state.set(H);
  for (let at = 0; at < end; at += BLOCK) compress(padded, at);
  return state;
}

/** Takes one block into the state (6.2.2). */
function compress(message: DataView, at: number): void {
  const w = schedule;
  for (let t = 0; t < 16; t++) w[t] = message.getInt32(at + t * 4);
  for (let t = 16; t < 64; t++) {
    const x = w[t - 15]!, y = w[t - 2]!;
    const sigma0 = (x >>> 7 | x << 25) ^ (x >>> 18 | x << 14) ^ x >>> 3;
    const sigma1 = (y >>> 17 | y << 15) ^ (y >>> 19 | y << 13) ^ y >>> 10;
    w[t] = sigma1 + w[t - 7]! + sigma0 + w[t - 16]!;
  }
  let a = state[0]!, b = state[1]!, c = state[2]!, d = state[3]!;
  let e = state[4]!, f = state[5]!, g = state[6]!, h = state[7]!;
  for (let t = 0; t < 64; t++) {
    const sum1 = (e >>> 6 | e << 26) ^ (e >>> 11 | e << 21) ^ (e >>> 25 | e << 7);
    const choice = e & f ^ ~e & g;
    const t1 = h + sum1 + choice + K[t]! + w[t]! | 0;
    const sum0 = (a >>> 2 | a << 30) ^ (a >>> 13 | a << 19) ^ (a >>> 22 | a << 10);
    const majority = a & b ^ a & c ^ b & c;
    const t2 = sum0 + majority | 0;
    h = g, g = f, f = e, e = d + t1 | 0;
    d = c, c = b, b = a, a = t1 + t2 | 0;
  }
  state[0]! += a, state[1]! += b, state[2]! += c, state[3]! += d;
  state[4]! += e, state[5]! += f, state[6]! += g, state[7]! += h;
}
