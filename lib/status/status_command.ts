/** `sftdyn status`: who calls in, asked of the sftdyn that runs with this configuration. */

import { coloured } from "../colour.ts";
import { type Config, ConfigError } from "../config/config.ts";
import { count } from "../count.ts";
import { durationText } from "../duration.ts";
import type { Endpoint } from "../endpoint.ts";
import { escapedJson, oneLine } from "../log.ts";
import { askReport, endpointToAsk } from "./ask.ts";
import type { StatusReport } from "./report.ts";
import { A_DAY, countSilence, type SilenceCounts, silenceOf, utcText } from "./silence.ts";
import { tableLines } from "./table.ts";

export interface StatusOptions {
  /** The configuration's name, as the command line has it. */
  file: string;
  load: () => Promise<Pick<Config, "status">>;
  ask?: (endpoint: Endpoint) => Promise<StatusReport>;
  /** Only those that have been silent for so many milliseconds. */
  stale: number | undefined;
  isJson: boolean;
  print: (line: string) => void;
  /** For a person alone, where there is one: what is no finding. */
  tell?: ((line: string) => void) | undefined;
  width?: number;
  hasColour?: boolean;
}

/**
 * Prints the report, or those that are silent; whether there was nobody of those to print.
 *
 * @throws {ConfigError}
 * @throws {AskError}
 */
export async function status(options: StatusOptions): Promise<boolean> {
  const { file, load, ask = askReport, stale, isJson, print } = options;
  const endpoint = endpointToAsk((await load()).status?.endpoints ?? []);
  if (endpoint === undefined) {
    throw new ConfigError([
      `${file}: without status, sftdyn does not tell who calls in: put the line ` +
      `status = "127.0.0.1:9053" above [clients], and reload sftdyn`,
    ]);
  }
  const all = await ask(endpoint);
  const report = stale === undefined ? all : {
    ...all,
    hosts: all.hosts.filter((host) => silenceOf(host, all, stale) === "silent"),
  };
  if (isJson) print(escapedJson(JSON.stringify(report, null, 2)));
  else if (stale === undefined) printAll(report, options);
  else printStale(report, countSilence(all, stale), { ...options, stale });
  return stale === undefined || report.hosts.length === 0;
}

type Printing = Pick<StatusOptions, "print" | "tell" | "width" | "hasColour">;

function printAll(report: StatusReport, options: Printing): void {
  const { hosts, hosts_left_out: leftOut, faults, since } = report;
  const { all, silent, unknown, moreSilent, moreUnknown } = countSilence(report, A_DAY);
  options.print(
    `${count(all, "host")}, ${silent}${moreSilent} not called for a day` +
      (unknown === 0 ? "" : `, ${unknown}${moreUnknown} not called yet: too early to tell`),
  );
  options.print(`calls are known since ${utcText(since)}`);
  const word = options.hasColour ? coloured("fault", "red") : "fault";
  for (const fault of faults) options.print(`${word}: ${oneLine(fault)}`);
  if (hosts.length === 0) return;
  options.print("");
  for (const line of tableLines(report, { ...options, limit: A_DAY })) options.print(line);
  if (leftOut > 0) options.print(laterText(leftOut));
}

/** Those that have not called since a start that is not so long ago are told of, but are no finding. */
function printStale(
  report: StatusReport,
  { unknown, moreSilent }: SilenceCounts,
  { stale, print, tell, ...options }: Printing & { stale: number },
): void {
  if (report.hosts.length > 0) {
    for (const line of tableLines(report, { ...options, limit: stale })) print(line);
    if (moreSilent) print(laterText(report.hosts_left_out));
  }
  if (unknown === 0) return;
  const write = report.hosts.length > 0 ? print : tell;
  write?.(
    `${
      count(unknown, report.hosts.length > 0 ? "more host" : "host")
    } not called yet: too early to tell, as calls are known since ` +
      `${utcText(report.since)}, for less than ${durationText(stale)}`,
  );
}

function laterText(leftOut: number): string {
  return `${count(leftOut, "more host")} called later than these, and cannot be told of here`;
}
