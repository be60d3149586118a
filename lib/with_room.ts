/** Numbers in a row that grows, in a few octets each where objects would take a hundred. */

type Row = Int32Array<ArrayBuffer> | Uint8Array<ArrayBuffer>;

/** The row, or if it is too short for so many numbers, a copy that is twice as long or more. */
export function withRoom<T extends Row>(row: T, length: number): T {
  if (length <= row.length) return row;
  const longer = new (row.constructor as new (length: number) => T)(
    Math.max(length, row.length * 2),
  );
  longer.set(row);
  return longer;
}
