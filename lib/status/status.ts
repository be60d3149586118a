/** How sftdyn is, told at the paths of the status listener. */

import type { Config } from "../config/config.ts";
import type { Updaters } from "../dns/updaters.ts";
import type { Answer } from "../http/answer.ts";
import type { Connections } from "../http/front_door.ts";
import type { Handler } from "../http/handler.ts";
import { inSlices, type Work } from "../slices.ts";
import { createStatusHandler } from "./handler.ts";
import { Kept } from "./kept.ts";
import { LongText } from "./long_text.ts";
import { pageOf } from "./page.ts";
import { hostReports, type StatusReport } from "./report.ts";
import type { Watch } from "./watch.ts";

export interface StatusOptions {
  version: string;
  /** What is served now. */
  config: () => Pick<Config, "status" | "clients">;
  watch: Pick<Watch, "calls" | "observer">;
  updaters: Pick<Updaters, "addressOf" | "load">;
  connections: () => Connections;
}

const PAGE = {
  "content-type": "text/html;charset=UTF-8",
  "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'",
};
const JSON_TYPE = { "content-type": "application/json" };
/** Hosts on the page: more are of no use to a person, and /hosts.json has them. */
const MOST_ON_PAGE = 5000;
const encoder = new TextEncoder();

export function createStatus(options: StatusOptions): Handler {
  const { config } = options;
  const kept = (headers: Answer["headers"], make: () => Promise<Uint8Array>) => {
    const made = new Kept(make);
    return async (): Promise<Answer> => ({ status: 200, body: await made.get(), headers });
  };
  return createStatusHandler({
    networks: () => config().status?.networks,
    paths: {
      "/": kept(PAGE, async () => encoder.encode(pageOf(await report(options, MOST_ON_PAGE)))),
      "/hosts.json": kept(JSON_TYPE, async () => inSlices(jsonOf(await report(options)))),
    },
  });
}

async function report(
  { version, watch, config, updaters }: StatusOptions,
  most?: number,
): Promise<StatusReport> {
  const calls = watch.calls!;
  const reports = hostReports({
    calls,
    names: config().clients.names(),
    addressOf: (name, type) => updaters.addressOf(name, type),
    ...(most !== undefined && { most }),
  });
  const { hosts, leftOut } = await inSlices(reports);
  return {
    version,
    time: new Date().toISOString(),
    since: new Date(calls.since).toISOString(),
    faults: [],
    hosts,
    hosts_left_out: leftOut,
  };
}

/** The report as JSON, a host a line. */
function* jsonOf({ hosts, ...others }: StatusReport): Work<Uint8Array> {
  const text = new LongText();
  text.add(`${JSON.stringify(others).slice(0, -1)},"hosts":[`);
  for (const [i, host] of hosts.entries()) {
    text.add(`${i === 0 ? "" : ","}\n${JSON.stringify(host)}`);
    yield;
  }
  text.add("]}\n");
  return text.bytes();
}
