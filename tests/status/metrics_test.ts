import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { Calls } from "../../lib/calls.ts";
import { Clients, digest } from "../../lib/clients.ts";
import { parseHostname } from "../../lib/hostname.ts";
import { Observer } from "../../lib/http/observer.ts";
import { atOnce } from "../../lib/slices.ts";
import { Metric } from "../../lib/status/exposition.ts";
import { LongText } from "../../lib/status/long_text.ts";
import { DifferentHosts } from "../../lib/status/status.ts";
import { metrics, type MetricsSources } from "../../lib/status/metrics.ts";

function hosts(...labels: string[]) {
  const names = new Set(labels.map((label) => parseHostname(`${label}.dyn.example`)));
  return { hosts: names.size, names };
}

function textOf(changes: Partial<MetricsSources> = {}): string {
  const calls = new Calls({ now: () => 2500, clock: () => 0 });
  return new TextDecoder().decode(atOnce(metrics({
    version: "1.2.3",
    startedAt: 1500,
    calls,
    observer: new Observer(calls),
    clients: 2,
    ...hosts("a", "b", "c"),
    hasOthers: false,
    mostHosts: 3,
    load: { waiting: 4, sessions: 5 },
    connections: { strangers: 6, proxies: 7, refused: 8, closed: 9 },
    expiry: undefined,
    reload: { isDone: false, doneAt: 3500 },
    ...changes,
  })));
}

Deno.test("each metric has a help, a type and its samples behind each other", () => {
  const calls = new Calls({ now: () => 2500, clock: () => 0 });
  for (const label of ["a", "b"]) {
    const name = parseHostname(`${label}.dyn.example`);
    calls.called(name, "192.0.2.1", label === "a" ? "OK" : "BADIP");
    calls.changed(name);
  }
  const text = textOf({ calls, expiry: new Date(4500) });
  const seen = new Set<string>();
  let current = "";
  for (const line of text.trimEnd().split("\n")) {
    const [, kind, name] = /^(?:# (HELP|TYPE) )?(\w+)(?:\{[^}]*\})? \S/.exec(line) ?? [];
    if (kind === "HELP") {
      assertEquals(seen.has(name!), false, name);
      seen.add(current = name!);
    } else assertEquals(name, current, line);
  }
  for (
    const line of [
      'sftdyn_build_info{version="1.2.3",deno="',
      "process_start_time_seconds 1.5\n",
      "sftdyn_calls_known_since_timestamp_seconds 2.5\n",
      'sftdyn_connections{of="public"} 6\nsftdyn_connections{of="proxies"} 7\n',
      "sftdyn_connections_refused_total 8\n",
      "sftdyn_connections_closed_total 9\n",
      "sftdyn_certificate_expiry_timestamp_seconds 4.5\n",
      "sftdyn_config_last_reload_successful 0\n",
      "sftdyn_config_last_reload_success_timestamp_seconds 3.5\n",
      'sftdyn_host_last_change_timestamp_seconds{host="b.dyn.example"} 2.5\n',
      'sftdyn_host_up_to_date{host="a.dyn.example"} 1\nsftdyn_host_up_to_date{host="b.dyn.example"} 0\n',
    ]
  ) assertStringIncludes(text, `\n${line}`.replace("\nsftdyn_build", "sftdyn_build"));
});

Deno.test("without https there is no expiry, and with too many hosts nothing of each", () => {
  assertEquals(/expiry/.test(textOf()), false);
  const calls = new Calls({ now: () => 2500, clock: () => 0 });
  calls.called(parseHostname("a.dyn.example"), "192.0.2.1", "OK");
  const isListed = (changes: Partial<MetricsSources>) => {
    const text = textOf({ calls, ...changes });
    const isLeftOut = /^sftdyn_host_metrics_left_out 1$/m.test(text);
    assertEquals(/host="/.test(text), !isLeftOut);
    return !isLeftOut;
  };
  assertEquals(isListed({}), true);
  assertEquals(isListed(hosts("a", "b", "c", "d")), false);
  assertEquals(isListed({ ...hosts(), hasOthers: true, mostHosts: 1 }), true);
  // Hosts of hooks are in no configuration.
  assertEquals(isListed({ ...hosts(), hasOthers: true, mostHosts: 0 }), false);
});

Deno.test("nothing is told of a host that is in the configuration no more", () => {
  const calls = new Calls();
  for (const name of hosts("a", "gone", "b").names) calls.called(name, "192.0.2.1", "OK");
  const told = (changes: Partial<MetricsSources>) => {
    const samples = textOf({ calls, ...changes }).matchAll(/up_to_date\{host="([^."]*)/g);
    return [...samples].map(([, label]) => label);
  };
  assertEquals(told({ mostHosts: 3 }), ["a", "b"]);
  assertEquals(told({ mostHosts: 3, hasOthers: true }), ["a", "gone", "b"]);
  assertEquals(told({ ...hosts("a", "b"), mostHosts: 2 }), ["a", "b"], "it takes no room");
});

Deno.test("labels and helps are escaped, and a long text is whole", () => {
  const text = new LongText();
  const metric = new Metric("m", "gauge", 'back\\slash\nand "quote"');
  metric.add(1, { a: 'q"', b: "s\\", c: "n\n" });
  for (let i = 0; i < 10_000; i++) metric.add(i);
  text.add("grün\n");
  metric.addTo(text);
  const lines = new TextDecoder().decode(text.bytes()).split("\n");
  assertEquals(lines.slice(0, 4), [
    "grün",
    '# HELP m back\\\\slash\\nand "quote"',
    "# TYPE m gauge",
    'm{a="q\\"",b="s\\\\",c="n\\n"} 1',
  ]);
  assertEquals(lines.length, 4 + 10_000 + 1);
  assertMatch(lines.at(-2)!, /^m 9999$/);
});

Deno.test("where there are too many hosts, they are counted once", () => {
  let asked = 0;
  const clients = new Clients();
  for (const label of ["a", "b"]) {
    clients.add(digest(label), { hosts: [{ name: parseHostname(`${label}.dyn.example`) }] });
  }
  const names = clients.names.bind(clients);
  clients.names = () => (asked++, names());
  const different = new DifferentHosts();
  const all = hosts("a", "b");
  assertEquals(atOnce(different.of(clients, 1)), all);
  assertEquals(atOnce(different.of(clients, 1)), { ...all, names: undefined });
  assertEquals(asked, 1);
  assertEquals(atOnce(different.of(clients, 2)), all, "each is told of");
  assertEquals(atOnce(different.of(new Clients(), 1)), hosts());
});
