/** The known word that somebody who mistyped one may have meant. */

/** Nobody means a known word with more letters than this, and longer ones take long. */
const LONGEST = 32;

/** The word with the smallest edit distance, if it is close enough to be meant. */
export function closestWord(typed: string, words: Iterable<string>): string | undefined {
  if (typed.length > LONGEST) return undefined;
  let best: string | undefined;
  let least = Math.floor(typed.length / 3) + 1;
  for (const word of words) {
    const distance = editDistance(typed, word);
    if (distance < least || (best === undefined && distance === least && distance === 1)) {
      [best, least] = [word, distance];
    }
  }
  return best;
}

/** Insertions, deletions, substitutions and swaps of neighbours from a to b. */
function editDistance(a: string, b: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1];
      row[j] = Math.min(last[j]! + 1, row[j - 1]! + 1, last[j - 1]! + (same ? 0 : 1));
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        row[j] = Math.min(row[j]!, beforeLast[j - 2]! + 1);
      }
    }
    [beforeLast, last] = [last, row];
  }
  return last[b.length]!;
}
