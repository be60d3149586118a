/** Colours for people, on a terminal. */

const CODES = { red: 31, green: 32, yellow: 33, dim: 2, bold: 1 } as const;

export type Colour = keyof typeof CODES;

/** The text in a colour. */
export function coloured(text: string, colour: Colour): string {
  return `\x1b[${CODES[colour]}m${text}\x1b[0m`;
}

/** Whether a stream is a person's who wants colours: a terminal, without NO_COLOR. */
export function hasColour(stream: { isTerminal(): boolean }): boolean {
  return stream.isTerminal() && !Deno.noColor;
}

const FINDINGS: Record<string, Colour> = {
  ok: "green",
  note: "dim",
  warning: "yellow",
  error: "red",
};

/** A line of `sftdyn check` or `sftdyn why` with its first word in a colour; the last line, which counts, whole. */
export function colouredFinding(line: string): string {
  const word = /^(\w+): /.exec(line)?.[1];
  const colour = word === undefined ? undefined : FINDINGS[word];
  if (colour !== undefined) return coloured(word!, colour) + line.slice(word!.length);
  if (/^the first broken link: /.test(line)) return coloured(line, "red");
  if (/^(no errors|no link is broken)$/.test(line)) return coloured(line, "green");
  if (/^no errors, /.test(line)) return coloured(line, "yellow");
  return /^\d+ errors?\b/.test(line) ? coloured(line, "red") : line;
}
