import { assert, assertEquals } from "@std/assert";
import { parseHostname } from "../../lib/hostname.ts";
import { Watch } from "../../lib/status/watch.ts";

const name = parseHostname("a.dyn.example");
const status = { endpoints: [], networks: [], metricsHosts: 0 };

Deno.test("calls are remembered while somebody wants to know, and forgotten then", () => {
  const watch = new Watch();
  watch.apply({ status: undefined });
  watch.changed(name);
  watch.failed(name, "why");
  assertEquals([watch.calls, watch.observer], [undefined, undefined]);
  watch.apply({ status });
  const { calls, observer } = watch;
  assert(observer !== undefined);
  watch.changed(name);
  watch.failed(name, "why");
  assertEquals([calls?.size, calls?.of(name)?.fault?.reason], [1, "why"]);
  watch.apply({ status: { ...status } });
  assert(watch.calls === calls && watch.observer === observer);
  watch.apply({ status: undefined });
  assertEquals([watch.calls, watch.observer], [undefined, undefined]);
});
