/** Who calls in, as a table of lines on a terminal. */

import { type Colour, coloured } from "../colour.ts";
import { oneLine } from "../log.ts";
import type { HostReport, StatusReport } from "./report.ts";
import { ageText, knownSince, silenceOf } from "./silence.ts";

export interface TableOptions {
  /** Milliseconds after which a host counts as silent. */
  limit: number;
  /** Columns that there are; without end if it is not for a terminal. */
  width?: number;
  hasColour?: boolean;
}

/** What is not known, or not there. */
const NOTHING = "-";

interface Cell {
  text: string;
  colour?: Colour | undefined;
}

const HEADINGS = ["HOST", "CALLED", "ANSWER", "CHANGED", "FROM", "A", "AAAA", "FAULT"] as const;

type Heading = typeof HEADINGS[number];
type Row = Record<Heading, Cell>;

/** What goes into lines of its own where there is no room. */
const DETAILS: readonly Heading[] = ["FROM", "A", "AAAA", "FAULT"];

const GAP = "  ";

/** In front of what has no place in a host's line. */
const INDENT = "    ";

/**
 * A line of headings and one for each host, without the columns that say
 * nothing. Where that is too wide, the details go into lines of their own.
 */
export function tableLines(
  report: StatusReport,
  { limit, width = Infinity, hasColour = false }: TableOptions,
): string[] {
  const paint: Paint = ({ text, colour }) =>
    hasColour && colour !== undefined ? coloured(text, colour) : text;
  const rows = report.hosts.map((host) => rowOf(host, report, limit));
  const used = HEADINGS.filter((name) => rows.some((row) => row[name].text !== NOTHING));
  const widths = new Map(used.map((name) => [name, widthOf(name, rows)]));
  const sum = (names: readonly Heading[]) =>
    names.reduce((all, name) => all + widths.get(name)! + GAP.length, 0);
  const head = Object.fromEntries(
    HEADINGS.map((text): [string, Cell] => [text, { text, colour: "bold" }]),
  ) as Row;
  const line = (names: readonly Heading[], row: Row) =>
    names.map((name) => padded(row[name], widths.get(name)!, paint)).join(GAP).trimEnd();

  if (sum(used) - GAP.length <= width) return [head, ...rows].map((row) => line(used, row));
  const [first, ...others] = used.filter((name) => !DETAILS.includes(name));
  const room = Math.max(width - sum(others), 16);
  widths.set(first!, Math.min(widths.get(first!)!, room));
  return [head, ...rows].flatMap((row) => [
    ...row.HOST.text.length <= room
      ? [line([first!, ...others], row)]
      : [paint(row.HOST), " ".repeat(room) + GAP + line(others, row)],
    ...row === head ? [] : detailLines(row, width, paint),
  ]);
}

type Paint = (cell: Cell) => string;

function padded(cell: Cell, width: number, paint: Paint): string {
  return paint(cell) + " ".repeat(Math.max(0, width - cell.text.length));
}

function rowOf(host: HostReport, report: StatusReport, limit: number): Row {
  const { a, aaaa, last_call, from, answer, last_change, last_fault, fault } = host;
  const ago = (time: string | null) => time === null ? NOTHING : `${short(time, report)} ago`;
  const isSilent = silenceOf(host, report, limit) === "silent";
  const isGood = answer === null || answer === "OK" || answer === "UPTODATE";
  return {
    HOST: textCell(host.host),
    CALLED: {
      text: last_call === null
        ? `not in ${short(knownSince(host, report), report)}`
        : ago(last_call),
      colour: isSilent ? "yellow" : undefined,
    },
    ANSWER: { ...textCell(answer), colour: isGood ? undefined : "red" },
    CHANGED: { text: ago(last_change) },
    FROM: textCell(from),
    A: textCell(a),
    AAAA: textCell(aaaa),
    FAULT: last_fault === null ? textCell(null) : textCell(`${ago(last_fault)}: ${fault}`),
  };
}

function textCell(text: string | null): Cell {
  return { text: text === null ? NOTHING : oneLine(text) };
}

/** "3d", in the units that options take too. */
function short(time: string, report: StatusReport): string {
  return ageText(time, report).replace(/ (\w).*/, "$1");
}

function widthOf(name: Heading, rows: readonly Row[]): number {
  return rows.reduce((most, row) => Math.max(most, row[name].text.length), name.length);
}

/** As many in a line as fit. */
function detailLines(row: Row, width: number, paint: Paint): string[] {
  const lines: string[] = [];
  let room = 0;
  for (const name of DETAILS.filter((name) => row[name].text !== NOTHING)) {
    const word = name === "FROM" || name === "FAULT" ? name.toLowerCase() : name;
    const text = `${paint({ text: word, colour: "dim" })} ${paint(row[name])}`;
    const needed = GAP.length + word.length + 1 + row[name].text.length;
    if (needed <= room) lines.push(lines.pop() + GAP + text);
    else {
      lines.push(INDENT + text);
      room = width - INDENT.length + GAP.length;
    }
    room -= needed;
  }
  return lines;
}
