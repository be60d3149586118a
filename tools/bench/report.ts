/** What a run of the bench has measured: figures of two sides in turns, and a table of them. */

const ROUNDS = 5;

const rows: string[][] = [];

/** One more row of the table, told at once. */
export function report(what: string, value: string, wanted: string, detail: string): void {
  rows.push([what, value, wanted, detail]);
  console.error(`${what}: ${value} (wanted: ${wanted}) ${detail}`);
}

/** All rows, in Markdown. */
export function printTable(): void {
  console.log("| what | measured | wanted | |\n| --- | --- | --- | --- |");
  for (const row of rows) console.log(`| ${row.join(" | ")} |`);
}

/** Two sides of a comparison in turns. */
export async function inTurns<T>(
  a: () => Promise<T>,
  b: () => Promise<T>,
  rounds = ROUNDS,
): Promise<[T, T][]> {
  // The first round finds neither side's code compiled, and does not count.
  await a();
  await b();
  const pairs: [T, T][] = [];
  for (let round = 0; round < rounds; round++) pairs.push([await a(), await b()]);
  return pairs;
}

/** The ratio of A's figures to B's, pair by pair, and what it is made of. */
export function describe<T>(
  pairs: [T, T][],
  figure: (measured: T) => number,
  unit: string,
  digits = 0,
): [ratio: string, detail: string] {
  const ratios = pairs.map(([a, b]) => figure(a) / figure(b));
  const show = (side: 0 | 1) => median(pairs.map((pair) => figure(pair[side]))).toFixed(digits);
  const range = `${Math.min(...ratios).toFixed(2)}-${Math.max(...ratios).toFixed(2)}`;
  return [
    median(ratios).toFixed(2),
    `${show(0)} ${unit} against ${show(1)} ${unit}, ratios ${range}`,
  ];
}

export function median(numbers: number[]): number {
  return numbers.toSorted((a, b) => a - b)[numbers.length >> 1]!;
}
