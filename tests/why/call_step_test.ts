import { assertEquals } from "@std/assert";
import { parseHostname } from "../../lib/hostname.ts";
import { AskError } from "../../lib/status/ask.ts";
import type { HostReport, StatusReport } from "../../lib/status/report.ts";
import { callStep } from "../../lib/why/call_step.ts";
import { told } from "./fake_dns.ts";

const host = parseHostname("a.dyn.example");
const CALLED: HostReport = {
  host,
  a: null,
  aaaa: null,
  since: null,
  last_call: "2026-11-28T12:00:00.000Z",
  from: "192.0.2.1",
  answer: "OK",
  last_change: null,
  last_fault: null,
  fault: null,
};
const REPORT: StatusReport = {
  version: "0.1.0",
  time: "2026-11-28T12:05:00.000Z",
  since: "2026-11-20T12:00:00.000Z",
  faults: [],
  hosts: [CALLED],
  hosts_left_out: 0,
};

function call(host_: Partial<HostReport>, report: Partial<StatusReport> = {}) {
  const said = { ...REPORT, hosts: [{ ...CALLED, ...host_ }], ...report };
  return asked(() => Promise.resolve(said));
}

function asked(ask: () => Promise<StatusReport>) {
  const status = { endpoints: [{ hostname: "127.0.0.1", port: 9053 }], networks: [] };
  const config = { status } as unknown as Parameters<typeof callStep>[1];
  return told((links) => callStep(host, config, links, ask));
}

Deno.test("the last call is told with its answer", async () => {
  const AT = "last call: 5 minutes ago, 2026-11-28 12:00:00 UTC, from 192.0.2.1";
  assertEquals(await call({}), [`ok: ${AT}: OK`]);
  assertEquals(await call({ answer: "UPTODATE" }), [`ok: ${AT}: UPTODATE`]);
  assertEquals(await call({ answer: null }), [`note: ${AT}: not answered yet`]);
  assertEquals(await call({ answer: "BUSY" }), [`error: ${AT}: BUSY`]);
  const fault = { last_fault: "2026-11-28T12:00:00.000Z", fault: "REFUSED" };
  assertEquals(await call({ answer: "FAIL", ...fault }), [`error: ${AT}: FAIL: REFUSED`]);
  assertEquals(await call({}, { time: "2026-11-30T12:00:00.000Z" }), [
    "warning: last call: 2 days ago, 2026-11-28 12:00:00 UTC, from 192.0.2.1: OK",
  ]);
});

Deno.test("what is not known of the last call is no broken link", async () => {
  assertEquals(await told((links) => callStep(host, { status: undefined }, links)), [
    "note: last call: not known: status is not configured",
  ]);
  assertEquals(await asked(() => Promise.reject(new AskError("nobody listens"))), [
    "warning: last call: not known: nobody listens",
  ]);
  assertEquals(await call({ last_call: null }), [
    "note: last call: none since 2026-11-20 12:00:00 UTC, from when on its calls are known",
  ]);
  assertEquals(await call({}, { hosts: [] }), [
    "warning: last call: the sftdyn that runs does not know a.dyn.example: was it reloaded since?",
  ]);
  assertEquals(await call({}, { hosts: [], hosts_left_out: 1 }), [
    "warning: last call: not known: sftdyn has too many hosts to tell of each",
  ]);
});
