/** Says in time that a certificate expires. */

import { count } from "../count.ts";
import type { Log } from "../log.ts";
import type { Certificate } from "./certificate.ts";

const DAY = 24 * 60 * 60 * 1000;
/** Let's Encrypt renews 30 days ahead: with 14 left, a renewal has failed. */
const DAYS_AHEAD = 14;

/** The day, as YYYY-MM-DD. */
export function dateText(date: Date): string {
  return date.toISOString().slice(0, "YYYY-MM-DD".length);
}

export type Expiry = readonly [level: "warning" | "error", message: string];

/** What an administrator should know of how long it is still valid, if anything. */
export function expiryOf(
  { notAfter }: Pick<Certificate, "notAfter">,
  now: Date,
): Expiry | undefined {
  const date = dateText(notAfter);
  if (now >= notAfter) return ["error", `it expired on ${date}`];
  const days = Math.floor((notAfter.getTime() - now.getTime()) / DAY);
  if (days >= DAYS_AHEAD) return undefined;
  return ["warning", `it expires on ${date}, in ${count(days, "day")}`];
}

export interface CertificateExpiryOptions {
  log: Pick<Log, "warning" | "error">;
  now?: () => Date;
}

/** At each poll, writes what there is to say: once a day, and at once where that has changed. */
export class CertificateExpiry {
  readonly #log: CertificateExpiryOptions["log"];
  readonly #now: () => Date;
  #said: { certificate: string; level: string; at: number } | undefined;

  constructor({ log, now = () => new Date() }: CertificateExpiryOptions) {
    this.#log = log;
    this.#now = now;
  }

  poll({ cert, files: [file], notAfter }: Certificate): void {
    const now = this.#now();
    const expiry = expiryOf({ notAfter }, now);
    if (expiry === undefined) return;
    const [level, message] = expiry;
    const said = this.#said;
    const isSaid = said?.certificate === cert && said.level === level &&
      Math.abs(now.getTime() - said.at) < DAY;
    if (isSaid) return;
    this.#said = { certificate: cert, level, at: now.getTime() };
    this.#log[level](`certificate "${file}": ${message}`, { event: "certificate_expiry" });
  }

  /** Says it again at the next poll, as after a reload. */
  reset(): void {
    this.#said = undefined;
  }
}
