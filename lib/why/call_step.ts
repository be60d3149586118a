/** When a host called last, and what it was told: as the sftdyn that runs knows it. */

import type { Config } from "../config/config.ts";
import type { Hostname } from "../hostname.ts";
import { AskError, askReport, endpointToAsk } from "../status/ask.ts";
import type { HostReport } from "../status/report.ts";
import { A_DAY, ageText, knownSince, silenceOf, utcText } from "../status/silence.ts";
import type { Links } from "./links.ts";

/** Milliseconds: it may have to wait for its nameservers first. */
const TIMEOUT = 10_000;

/** What is known of the host. */
export async function callStep(
  host: Hostname,
  { status }: Pick<Config, "status">,
  links: Links,
  ask: typeof askReport = askReport,
): Promise<HostReport | undefined> {
  const endpoint = endpointToAsk(status?.endpoints ?? []);
  if (endpoint === undefined) {
    links.note("last call: not known: status is not configured");
    return undefined;
  }
  let report;
  try {
    report = await ask(endpoint, { timeout: TIMEOUT });
  } catch (error) {
    if (!(error instanceof AskError)) throw error;
    links.warning(`last call: not known: ${error.message}`);
    return undefined;
  }
  const own = report.hosts.find((each) => each.host === host);
  if (own === undefined) {
    links.warning(
      report.hosts_left_out > 0
        ? "last call: not known: sftdyn has too many hosts to tell of each"
        : `last call: the sftdyn that runs does not know ${host}: was it reloaded since?`,
    );
    return undefined;
  }
  const { last_call: at, from, answer, last_fault, fault } = own;
  if (at === null) {
    links.note(
      `last call: none since ${utcText(knownSince(own, report))}, from when on its calls are known`,
    );
    return own;
  }
  const call = `last call: ${ageText(at, report)} ago, ${utcText(at)}, from ${from}`;
  if (answer === "OK" || answer === "UPTODATE") {
    const isSilent = silenceOf(own, report, A_DAY) === "silent";
    links[isSilent ? "warning" : "ok"](`${call}: ${answer}`);
  } else if (answer === null) links.note(`${call}: not answered yet`);
  else {
    const why = fault === null || last_fault === null ? "" : `: ${fault}`;
    links.error(`${call}: ${answer}${why}`);
  }
  return own;
}
