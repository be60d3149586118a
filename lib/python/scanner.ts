/**
 * Python's tokens, one after the other, in one pass over the text (The Python
 * Language Reference, chapter 2). Nothing is evaluated.
 */

import { stringValue } from "./string_literal.ts";

export type TokenKind = "name" | "number" | "string" | "sign" | "newline" | "end";

/** The text is no Python; the message says why, and repeats none of it: it may be a secret. */
export class PythonError extends Error {
  override name = "PythonError";
  /** @param line counted from 1 */
  constructor(readonly line: number, message: string) {
    super(message);
  }
}

const [TAB, NEWLINE, SPACE] = [0x09, 0x0a, 0x20];
const [QUOTE, HASH, APOSTROPHE, DOT, EQUALS] = [0x22, 0x23, 0x27, 0x2e, 0x3d];
const BACKSLASH = 0x5c;
/** They make one sign with an `=` behind them. */
const BEFORE_EQUALS = "=!<>+-*/%&|^@:";
const STRING_PREFIX = /^(?:[rbuft]|b[r]|r[bft]|[ft]r)$/i;

/** The token at which it is; `next()` goes to the following one. */
export class PythonScanner {
  kind: TokenKind = "newline";
  /** Of a name, a number and a sign. */
  text = "";
  /** Where it begins; counted from 1. */
  line = 1;
  /** How many brackets are open around it; a bracket is not around itself. */
  depth = 0;
  /** Whether the logical line that it is in begins with blanks. */
  isIndented = false;

  readonly #text: string;
  #at = 0;
  /** The number of the line in which #at is. */
  #line = 1;
  /** Where the logical line begins that has no token yet; undefined if it has one. */
  #lineStart: number | undefined = 0;
  /** The lines of the brackets that are open. */
  readonly #open: number[] = [];
  #string = { prefix: "", start: 0, end: 0 };

  constructor(text: string) {
    this.#text = text.replaceAll("\r\n", "\n").replaceAll("\r", "\n");
  }

  /** The string that a literal stands for; undefined if it is none, or cannot be told without running Python. */
  get value(): string | undefined {
    if (this.kind !== "string") return undefined;
    const { prefix, start, end } = this.#string;
    return stringValue(prefix, this.#text.slice(start, end));
  }

  /** Whether it is this sign. */
  is(sign: string): boolean {
    return this.kind === "sign" && this.text === sign;
  }

  /** @throws {PythonError} a string or a bracket is not closed */
  next(): void {
    this.#skipSpace();
    this.line = this.#line;
    this.text = "";
    this.depth = this.#open.length;
    const at = this.#at;
    const code = this.#text.charCodeAt(at);
    if (at >= this.#text.length) this.#end();
    else if (code === NEWLINE) {
      this.kind = "newline";
      this.#skipNewline();
    } else {
      if (this.#lineStart !== undefined) {
        this.isIndented = isBlank(this.#text.charCodeAt(this.#lineStart));
      }
      this.#lineStart = undefined;
      if (code === QUOTE || code === APOSTROPHE) this.#scanString("");
      else if (isDigit(code) || (code === DOT && isDigit(this.#text.charCodeAt(at + 1)))) {
        this.#scanNumber();
      } else if (isOfName(code)) this.#scanName();
      else this.#scanSign();
    }
  }

  /** A last line need not have an end of its own. */
  #end(): void {
    const bracket = this.#open.at(-1);
    if (bracket !== undefined) {
      throw new PythonError(bracket, "a bracket that is opened here is not closed");
    }
    this.kind = this.#lineStart === undefined ? "newline" : "end";
    this.#lineStart = this.#at;
  }

  #skipNewline(): void {
    this.#at++;
    this.#line++;
    if (this.#open.length === 0) this.#lineStart = this.#at;
  }

  /** To the next token: over blanks, comments, ends of lines in brackets, and lines without anything. */
  #skipSpace(): void {
    const text = this.#text;
    while (this.#at < text.length) {
      const code = text.charCodeAt(this.#at);
      if (isBlank(code)) this.#at++;
      else if (code === HASH) this.#at = text.indexOf("\n", this.#at) >>> 0;
      else if (code === BACKSLASH && text.charCodeAt(this.#at + 1) === NEWLINE) {
        this.#at += 2;
        this.#line++;
      } else if (
        code === NEWLINE && (this.#open.length > 0 || this.#lineStart !== undefined)
      ) this.#skipNewline();
      else break;
    }
    this.#at = Math.min(this.#at, text.length);
  }

  #scanName(): void {
    const start = this.#at;
    while (isOfName(this.#text.charCodeAt(this.#at))) this.#at++;
    const word = this.#text.slice(start, this.#at);
    const code = this.#text.charCodeAt(this.#at);
    if ((code === QUOTE || code === APOSTROPHE) && STRING_PREFIX.test(word)) {
      return this.#scanString(word);
    }
    this.kind = "name";
    this.text = word;
  }

  #scanNumber(): void {
    const start = this.#at;
    for (let code; isOfName(code = this.#text.charCodeAt(this.#at)) || code === DOT;) this.#at++;
    this.kind = "number";
    this.text = this.#text.slice(start, this.#at);
  }

  #scanSign(): void {
    let text = this.#text[this.#at]!;
    if (BEFORE_EQUALS.includes(text) && this.#text.charCodeAt(this.#at + 1) === EQUALS) text += "=";
    if ("([{".includes(text)) this.#open.push(this.#line);
    else if (")]}".includes(text)) {
      this.#open.pop();
      this.depth = this.#open.length;
    }
    this.kind = "sign";
    this.text = text;
    this.#at += text.length;
  }

  #scanString(prefix: string): void {
    const text = this.#text;
    const code = text.charCodeAt(this.#at);
    const quote = text[this.#at]!;
    const isLong = text.startsWith(quote.repeat(3), this.#at);
    const close = isLong ? quote.repeat(3) : quote;
    const start = this.#at + close.length;
    let at = start;
    for (;; at++) {
      const here = text.charCodeAt(at);
      if (here === code && text.startsWith(close, at)) break;
      // A backslash keeps a quote from closing in raw strings too.
      if (here === BACKSLASH) at++;
      if (at >= text.length || (text.charCodeAt(at) === NEWLINE && here === NEWLINE && !isLong)) {
        throw new PythonError(
          this.line,
          `a string that begins here is not closed: expected ${close}`,
        );
      }
      if (text.charCodeAt(at) === NEWLINE) this.#line++;
    }
    this.#string = { prefix: prefix.toLowerCase(), start, end: at };
    this.#at = at + close.length;
    this.kind = "string";
  }
}

function isBlank(code: number): boolean {
  return code === SPACE || code === TAB;
}

function isDigit(code: number): boolean {
  return code >= 0x30 && code <= 0x39;
}

/** Letters, digits and underscores; what is not ASCII is taken for a letter. */
function isOfName(code: number): boolean {
  return code >= 0x61 && code <= 0x7a || code >= 0x41 && code <= 0x5a || isDigit(code) ||
    code === 0x5f || code > 0x7f;
}
