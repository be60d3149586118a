/**
 * Where TOML's statements (`NAME = VALUE` and `[TABLE]`) begin and end: at line
 * ends outside brackets and quotes. Works on the file's octets, as all that
 * counts here is ASCII, and only what is looked at closer becomes a string.
 */

import type { Work } from "../slices.ts";
import { withRoom } from "../with_room.ts";

export interface Statement {
  /** Where it begins; counted from 1. */
  readonly line: number;
  readonly text: string;
  /** What is before the first `=`; undefined if there is none. */
  readonly name: string | undefined;
  /** What is after it. */
  readonly value: string;
  /** What is open at its end: a quote or a bracket; else "". */
  readonly unclosed: string;
}

const [TAB, NEWLINE, RETURN, SPACE] = [0x09, 0x0a, 0x0d, 0x20];
const [QUOTE, HASH, APOSTROPHE, EQUALS] = [0x22, 0x23, 0x27, 0x3d];
const [BACKSLASH, BRACKET, BRACKET_END, BRACE, BRACE_END] = [0x5c, 0x5b, 0x5d, 0x7b, 0x7d];

/** What a line may begin in: in no string, or in a multi-line one of either kind. */
const OUTSIDE = 0;
type Mode = typeof OUTSIDE | typeof QUOTE | typeof APOSTROPHE;
const MODES: readonly Mode[] = [OUTSIDE, QUOTE, APOSTROPHE];

/** Never closed. */
const NEVER = 2 ** 30;
/** Lines of a statement after which it is asked whether it ends at all. */
const MANY = 1000;

export class StatementScanner {
  readonly #octets: Uint8Array;
  readonly #decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  #at: number;
  #line = 1;
  /** What the last #scanLine found: */
  readonly #scanned = {
    /** in which mode the next line begins, */
    mode: OUTSIDE as Mode,
    /** how many more brackets are open than before, */
    depth: 0,
    /** a quote that is not closed in the line, but should be, */
    quote: 0,
    /** the first `=` outside quotes, */
    equals: -1,
    /** and the line's end. */
    end: 0,
  };
  /**
   * For each line from the file's last one back, and each mode that it may begin
   * in: how many brackets have to be open before it, at the most, for a statement
   * to end in it or later; as a negative number. Made when a statement does not
   * seem to end, as then the next ones may not either.
   */
  #ends: Int32Array | undefined;
  #lines = 0;

  constructor(octets: Uint8Array) {
    this.#octets = octets;
    const hasMark = octets[0] === 0xef && octets[1] === 0xbb && octets[2] === 0xbf;
    this.#at = hasMark ? 3 : 0;
  }

  /** The number of the line at which it is. */
  get line(): number {
    return this.#line;
  }

  get isAtEnd(): boolean {
    return this.#at >= this.#octets.length;
  }

  /** Goes to the statement that begins in this line; to the next line, and false, if none does. */
  skipSpace(): boolean {
    const octets = this.#octets;
    for (; this.#at < octets.length; this.#at++) {
      const octet = octets[this.#at];
      if (octet === HASH) this.#at = this.#lineEnd(this.#at);
      else if (octet !== SPACE && octet !== TAB && octet !== RETURN && octet !== NEWLINE) {
        return true;
      }
      if (octets[this.#at] === NEWLINE) {
        this.#line++;
        this.#at++;
        return false;
      }
    }
    return false;
  }

  /** The rest of this line. */
  peekLine(): string {
    return this.#decoder.decode(this.#octets.subarray(this.#at, this.#lineEnd(this.#at)));
  }

  skipLine(): void {
    this.#at = this.#lineEnd(this.#at) + 1;
    this.#line++;
  }

  /** The statement that begins here; if it is never closed, its first line alone. */
  *read(): Work<Statement> {
    const start = this.#at;
    const scanned = this.#scanned;
    this.#scanLine(start, OUTSIDE);
    const { equals, end } = scanned;
    const { quote } = scanned;
    let { mode, depth } = scanned;
    let unclosed = "";
    let lines = 0;
    if (quote !== 0 || mode !== OUTSIDE || depth > 0) {
      const isOneLine = quote !== 0 || this.#octets[start] === BRACKET;
      const isClosed = !isOneLine && (yield* this.#isClosed(end, mode, depth));
      scanned.end = end;
      if (!isClosed) {
        const open = quote || mode;
        unclosed = open === OUTSIDE ? "a bracket" : `a quote (${String.fromCharCode(open)})`;
      }
      while (isClosed && (mode !== OUTSIDE || depth > 0)) {
        this.#scanLine(scanned.end + 1, mode);
        lines++;
        mode = scanned.mode;
        depth += scanned.depth;
        yield;
      }
    }
    const statement = {
      line: this.#line,
      text: this.#text(start, scanned.end),
      name: equals < 0 ? undefined : this.#text(start, equals),
      value: equals < 0 ? "" : this.#text(equals + 1, scanned.end),
      unclosed,
    };
    this.#at = scanned.end;
    this.#line += lines;
    return statement;
  }

  #text(start: number, end: number): string {
    const text = this.#decoder.decode(this.#octets.subarray(start, end)).replaceAll("\r\n", "\n");
    return this.#octets[end] === NEWLINE && text.endsWith("\r") ? text.slice(0, -1) : text;
  }

  #lineEnd(at: number): number {
    const end = this.#octets.indexOf(NEWLINE, at);
    return end < 0 ? this.#octets.length : end;
  }

  /** Whether a statement that is open at the end of this line is closed later. */
  *#isClosed(end: number, mode: Mode, depth: number): Work<boolean> {
    if (this.#ends === undefined) {
      const isClosed = this.#isClosedSoon(end, mode, depth);
      if (isClosed !== undefined) return isClosed;
      yield* this.#findEnds(end);
    }
    return this.#endOf(this.#lines - this.#line, mode) + depth <= 0;
  }

  /** true if it is closed within a few lines; undefined if it must be looked at in all there are. */
  #isClosedSoon(end: number, mode: Mode, depth: number): true | undefined {
    const scanned = this.#scanned;
    for (let lines = 0; lines < MANY && end < this.#octets.length; lines++) {
      this.#scanLine(end + 1, mode);
      if (scanned.quote !== 0) return undefined;
      mode = scanned.mode;
      depth += scanned.depth;
      if (mode === OUTSIDE && depth <= 0) return true;
      end = scanned.end;
    }
    return undefined;
  }

  /** Looks at all lines after this one, each once in each mode, from the last one back. */
  *#findEnds(first: number): Work {
    let ends = new Int32Array(2 ** 12).fill(NEVER);
    let lines = 0;
    for (let end = this.#octets.length; end > first;) {
      const start = this.#octets.lastIndexOf(NEWLINE, end - 1) + 1;
      lines++;
      ends = withRoom(ends, (lines + 1) * MODES.length);
      for (const [i, mode] of MODES.entries()) {
        this.#scanLine(start, mode);
        const { depth, quote, mode: next } = this.#scanned;
        const here = next === OUTSIDE ? depth : NEVER;
        const later = depth + ends[(lines - 1) * MODES.length + MODES.indexOf(next)]!;
        ends[lines * MODES.length + i] = quote !== 0 ? NEVER : Math.min(here, later, NEVER);
      }
      end = start - 1;
      yield;
    }
    this.#lines = this.#line + lines;
    this.#ends = ends;
  }

  #endOf(linesAfter: number, mode: Mode): number {
    return this.#ends![linesAfter * MODES.length + MODES.indexOf(mode)]!;
  }

  /** Scans to the end of a line that begins in this mode. */
  #scanLine(at: number, mode: Mode): void {
    const octets = this.#octets;
    const scanned = this.#scanned;
    scanned.depth = 0;
    scanned.quote = 0;
    scanned.equals = -1;
    for (; at < octets.length && octets[at] !== NEWLINE; at++) {
      const octet = octets[at];
      if (mode !== OUTSIDE) {
        if (octet === BACKSLASH && mode === QUOTE) at = this.#skip(at);
        else if (octet === mode && octets[at + 1] === mode && octets[at + 2] === mode) {
          at += 2;
          // Up to two quotes may stand before the closing three.
          for (let more = 0; more < 2 && octets[at + 1] === mode; more++) at++;
          mode = OUTSIDE;
        }
      } else if (octet === QUOTE || octet === APOSTROPHE) {
        if (octets[at + 1] === octet && octets[at + 2] === octet) {
          mode = octet;
          at += 2;
        } else {
          at = this.#quoteEnd(at);
          if (octets[at] !== octet) {
            scanned.quote = octet;
            break;
          }
        }
      } else if (octet === HASH) {
        at = this.#lineEnd(at);
        break;
      } else if (octet === BRACKET || octet === BRACE) scanned.depth++;
      else if (octet === BRACKET_END || octet === BRACE_END) scanned.depth--;
      else if (octet === EQUALS && scanned.equals < 0) scanned.equals = at;
    }
    scanned.mode = mode;
    scanned.end = at;
  }

  /** Where the quoted text that starts here is closed, or else its line's end. */
  #quoteEnd(start: number): number {
    const octets = this.#octets;
    let at = start + 1;
    for (; at < octets.length && octets[at] !== NEWLINE && octets[at] !== octets[start]; at++) {
      if (octets[at] === BACKSLASH && octets[start] === QUOTE) at = this.#skip(at);
    }
    return at;
  }

  /** Over what a backslash escapes, but not over a line's end. */
  #skip(at: number): number {
    return at + 1 < this.#octets.length && this.#octets[at + 1] !== NEWLINE ? at + 1 : at;
  }
}
