/** /metrics: what Prometheus gets to know of sftdyn. No key, and nothing of one. */

import type { Calls } from "../calls.ts";
import type { Updaters } from "../dns/updaters.ts";
import type { Hostname } from "../hostname.ts";
import type { Connections } from "../http/front_door.ts";
import type { Observer } from "../http/observer.ts";
import type { Work } from "../slices.ts";
import { Metric } from "./exposition.ts";
import { LongText } from "./long_text.ts";

export interface MetricsSources {
  version: string;
  /** Milliseconds since 1970. */
  startedAt: number;
  calls: Pick<Calls, "since" | "size" | "all">;
  observer: Pick<Observer, "requests" | "results">;
  /** Configured. */
  clients: number;
  hosts: number;
  /** Which; needed if these are not more than mostHosts. */
  names: ReadonlySet<Hostname> | undefined;
  /** Whether hooks name hosts, too: all that have called are hosts then. */
  hasOthers: boolean;
  /** With more hosts, each has no metrics of its own. */
  mostHosts: number;
  load: Updaters["load"];
  connections: Connections;
  /** When https's certificate expires; undefined: there is none. */
  expiry: Date | undefined;
  /** Whether the last reload was one, and when the last one was that did; the start counts. */
  reload: { isDone: boolean; doneAt: number };
}

export function* metrics(sources: MetricsSources): Work<Uint8Array> {
  const { calls, hosts, hasOthers, mostHosts } = sources;
  const text = new LongText();
  for (const metric of general(sources)) metric.addTo(text);
  const areLeftOut = Math.max(hosts, hasOthers ? calls.size : 0) > mostHosts;
  const help = "Whether there are more hosts than metrics_hosts, so that each has no metrics.";
  new Metric("sftdyn_host_metrics_left_out", "gauge", help).add(areLeftOut ? 1 : 0).addTo(text);
  if (!areLeftOut) { for (const metric of yield* ofHosts(sources)) metric.addTo(text); }
  return text.bytes();
}

function* general(sources: MetricsSources): Generator<Metric> {
  const { version, startedAt, calls, observer, load, connections, expiry, reload } = sources;
  yield new Metric("sftdyn_build_info", "gauge", "What runs: always 1.")
    .add(1, { version, deno: Deno.version.deno });
  yield new Metric("process_start_time_seconds", "gauge", "When it was started.")
    .add(startedAt / 1000);
  yield new Metric(
    "sftdyn_calls_known_since_timestamp_seconds",
    "gauge",
    "From when on calls are known: a host without a call has not called since.",
  ).add(calls.since / 1000);
  yield new Metric("sftdyn_clients", "gauge", "Clients in the configuration.").add(sources.clients);
  yield new Metric("sftdyn_hosts", "gauge", "Hosts in the configuration.").add(sources.hosts);
  const requests = new Metric(
    "sftdyn_requests_total",
    "counter",
    "Well-formed requests that were answered, by protocol and HTTP status.",
  );
  for (const { protocol, status, count } of observer.requests) {
    requests.add(count, { protocol, status });
  }
  yield requests;
  const updates = new Metric(
    "sftdyn_updates_total",
    "counter",
    "Records that clients asked for, by what they were told.",
  );
  for (const [result, count] of observer.results) {
    updates.add(count, { result: result.toLowerCase() });
  }
  yield updates;
  yield new Metric("sftdyn_waiting_records", "gauge", "Records that wait for a change.")
    .add(load.waiting);
  yield new Metric("sftdyn_nsupdate_sessions", "gauge", "Running nsupdate processes.")
    .add(load.sessions);
  yield new Metric("sftdyn_connections", "gauge", "Open connections, by who has them.")
    .add(connections.strangers, { of: "public" })
    .add(connections.proxies, { of: "proxies" });
  yield new Metric(
    "sftdyn_connections_refused_total",
    "counter",
    "Connections that were refused, as there was no room.",
  ).add(connections.refused);
  yield new Metric(
    "sftdyn_connections_closed_total",
    "counter",
    "Connections that were closed to make room for others.",
  ).add(connections.closed);
  if (expiry !== undefined) {
    yield new Metric(
      "sftdyn_certificate_expiry_timestamp_seconds",
      "gauge",
      "When the certificate of https expires.",
    ).add(expiry.getTime() / 1000);
  }
  yield new Metric(
    "sftdyn_config_last_reload_successful",
    "gauge",
    "Whether the last reload worked; after a start without one, 1.",
  ).add(reload.isDone ? 1 : 0);
  yield new Metric(
    "sftdyn_config_last_reload_success_timestamp_seconds",
    "gauge",
    "When the configuration was last read and applied.",
  ).add(reload.doneAt / 1000);
}

/** One each of every host that has called. */
function* ofHosts({ calls, names, hasOthers }: MetricsSources): Work<Metric[]> {
  const lastCalls = new Metric(
    "sftdyn_host_last_request_timestamp_seconds",
    "gauge",
    "When the host called last.",
  );
  const changes = new Metric(
    "sftdyn_host_last_change_timestamp_seconds",
    "gauge",
    "When a record of the host was changed last.",
  );
  const areUpToDate = new Metric(
    "sftdyn_host_up_to_date",
    "gauge",
    "Whether the host's last call was answered OK or UPTODATE.",
  );
  for (const [host, { calledAt, answer, changedAt }] of calls.all()) {
    yield;
    if (!hasOthers && !names!.has(host)) continue;
    if (changedAt !== undefined) changes.add(changedAt / 1000, { host });
    if (calledAt === undefined) continue;
    lastCalls.add(calledAt / 1000, { host });
    areUpToDate.add(answer === "OK" || answer === "UPTODATE" ? 1 : 0, { host });
  }
  return [lastCalls, changes, areUpToDate];
}
