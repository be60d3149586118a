/** How sftdyn is, told at the paths of the status listener. */

import { STATUS_CODE } from "@std/http/status";
import type { Calls } from "../calls.ts";
import type { Config } from "../config/config.ts";
import type { Updaters } from "../dns/updaters.ts";
import type { Hostname } from "../hostname.ts";
import type { Answer } from "../http/answer.ts";
import type { Connections } from "../http/front_door.ts";
import type { Handler } from "../http/handler.ts";
import { inSlices, type Work } from "../slices.ts";
import { METRICS_TYPE } from "./exposition.ts";
import { createStatusHandler } from "./handler.ts";
import { Health, type HealthOptions } from "./health.ts";
import { Kept } from "./kept.ts";
import { LongText } from "./long_text.ts";
import { metrics, type MetricsSources } from "./metrics.ts";
import { pageOf } from "./page.ts";
import { hostReports, type StatusReport } from "./report.ts";
import type { Reloads } from "./reloads.ts";
import type { Watch } from "./watch.ts";

export interface StatusOptions {
  version: string;
  /** What is served now. */
  config: () => ReturnType<HealthOptions["config"]> & Pick<Config, "status" | "hooks">;
  watch: Pick<Watch, "calls" | "observer">;
  updaters: Pick<Updaters, "addressOf" | "load">;
  connections: () => Connections;
  reloads: Pick<Reloads, "faults" | "isDone" | "doneAt">;
}

const PAGE = {
  "content-type": "text/html;charset=UTF-8",
  "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'",
};
const METRICS = { "content-type": METRICS_TYPE };
const JSON_TYPE = { "content-type": "application/json" };
/** Hosts on the page: half a megabyte, made in 10 ms. /hosts.json has more. */
const MOST_ON_PAGE = 1000;
const encoder = new TextEncoder();

export function createStatus(options: StatusOptions): Handler {
  const { config, watch, reloads } = options;
  const health = new Health({
    config,
    others: () => config().hooks === undefined ? [] : watch.calls!.names(),
    fileFaults: () => reloads.faults,
  });
  const startedAt = Date.now();
  const report = (headers: Answer["headers"], make: (report: StatusReport) => Work<Uint8Array>) => {
    let faults: readonly string[] = [];
    let calls: Calls;
    const made = new Kept(() => inSlices(reportOf(options, calls, faults, make)), { of: config });
    return async (): Promise<Answer> => {
      // They may be gone after a reload meanwhile.
      calls = watch.calls!;
      // How long that takes says nothing of how long the rest is to be kept.
      faults = await health.faults();
      return { status: STATUS_CODE.OK, body: await made.get(), headers };
    };
  };
  const hosts = new DifferentHosts();
  const exposition = new Kept(() => inSlices(metricsOf(options, startedAt, hosts)), { of: config });
  return createStatusHandler({
    networks: () => config().status?.networks,
    paths: {
      "/": report(PAGE, pageBytes),
      "/health": async () => {
        const faults = await health.faults();
        return faults.length === 0
          ? { status: STATUS_CODE.OK, body: "ok\n" }
          : { status: STATUS_CODE.ServiceUnavailable, body: `${faults.join("\n")}\n` };
      },
      "/metrics": async () => ({
        status: STATUS_CODE.OK,
        body: await exposition.get(),
        headers: METRICS,
      }),
      "/hosts.json": report(JSON_TYPE, jsonBytes),
    },
  });
}

/** The report, made into something. */
function* reportOf(
  { version, config, updaters }: StatusOptions,
  calls: Calls,
  faults: readonly string[],
  make: (report: StatusReport) => Work<Uint8Array>,
): Work<Uint8Array> {
  const { hosts, leftOut } = yield* hostReports({
    calls,
    names: config().clients.names(),
    hasOthers: config().hooks !== undefined,
    addressOf: (name, type) => updaters.addressOf(name, type),
  });
  return yield* make({
    version,
    time: new Date().toISOString(),
    since: new Date(calls.since).toISOString(),
    faults,
    hosts,
    hosts_left_out: leftOut,
  });
}

function* pageBytes(report: StatusReport): Work<Uint8Array> {
  const hosts = report.hosts.slice(0, MOST_ON_PAGE);
  const leftOut = report.hosts_left_out + report.hosts.length - hosts.length;
  yield;
  return encoder.encode(pageOf({ ...report, hosts, hosts_left_out: leftOut }));
}

function* metricsOf(
  options: StatusOptions,
  startedAt: number,
  different: DifferentHosts,
): Work<Uint8Array> {
  const { version, watch, config, updaters, connections, reloads } = options;
  const { clients, hooks, status, https, certificate } = config();
  const { calls, observer } = watch;
  return yield* metrics({
    version,
    startedAt,
    calls: calls!,
    observer: observer!,
    clients: clients.size,
    ...yield* different.of(clients, status!.metricsHosts),
    hasOthers: hooks !== undefined,
    mostHosts: status!.metricsHosts,
    load: updaters.load,
    connections: connections(),
    expiry: https.length > 0 ? certificate?.notAfter : undefined,
    reload: reloads,
  });
}

/** The different hosts of clients. Of a million, to find them takes seconds. */
export class DifferentHosts {
  #known: { readonly clients: Config["clients"]; readonly hosts: number } | undefined;

  /** How many there are, and which, unless these are known to be more than so many. */
  *of(
    clients: Config["clients"],
    most: number,
  ): Work<Pick<MetricsSources, "hosts" | "names">> {
    if (this.#known?.clients === clients && this.#known.hosts > most) {
      return { hosts: this.#known.hosts, names: undefined };
    }
    const names = new Set<Hostname>();
    for (const name of clients.names()) {
      names.add(name);
      yield;
    }
    this.#known = { clients, hosts: names.size };
    return { hosts: names.size, names };
  }
}

/** The report as JSON, a host a line. */
function* jsonBytes({ hosts, ...others }: StatusReport): Work<Uint8Array> {
  const text = new LongText();
  text.add(`${JSON.stringify(others).slice(0, -1)},"hosts":[`);
  for (const [i, host] of hosts.entries()) {
    text.add(`${i === 0 ? "" : ","}\n${JSON.stringify(host)}`);
    yield;
  }
  text.add("]}\n");
  return text.bytes();
}
