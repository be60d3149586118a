/** The status as a page for people. */

import type { StatusReport } from "./report.ts";

export function pageOf({ version }: StatusReport): string {
  return `<!DOCTYPE html><title>sftdyn ${version}</title><p>sftdyn ${version}\n`;
}
