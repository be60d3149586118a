/** What is found with one's configuration and nameservers, a line each. */

import { count } from "./count.ts";

/** What was found so far. */
export class Report {
  errors = 0;
  warnings = 0;

  constructor(readonly print: (line: string) => void) {}

  get summary(): string {
    const errors = this.errors === 0 ? "no errors" : count(this.errors, "error");
    return this.warnings === 0 ? errors : `${errors}, ${count(this.warnings, "warning")}`;
  }

  ok(message: string): void {
    this.print(`ok: ${message}`);
  }

  warning(message: string): void {
    this.warnings++;
    this.print(`warning: ${message}`);
  }

  error(message: string): void {
    this.errors++;
    this.print(`error: ${message}`);
  }
}
