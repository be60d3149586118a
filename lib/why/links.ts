/** The steps of a diagnosis, a line each: which of them is the first broken link. */

import { Report } from "../findings.ts";
import { oneLine } from "../log.ts";

export class Links extends Report {
  /** What the first error says. */
  firstBroken: string | undefined;

  constructor(print: (line: string) => void) {
    // Others' names are in it.
    super((line) => print(oneLine(line)));
  }

  /** What is no fault, but not known either, or good to know. */
  note(message: string): void {
    this.print(`note: ${message}`);
  }

  override error(message: string): void {
    this.firstBroken ??= message;
    super.error(message);
  }

  /** The last line. */
  override get summary(): string {
    return this.firstBroken === undefined
      ? "no link is broken"
      : oneLine(`the first broken link: ${this.firstBroken}`);
  }
}
