/** Numbers in sentences. */

/** A counted noun that agrees with its number: "1 host", "2 hosts". */
export function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? "" : "s"}`;
}
