import { assert, assertEquals } from "@std/assert";
import { parseHostname } from "../../lib/hostname.ts";
import { Watch } from "../../lib/status/watch.ts";

const name = parseHostname("a.dyn.example");
const withdrawal = undefined;
const status = { endpoints: [], networks: [], metricsHosts: 0 };

Deno.test("calls are remembered while somebody wants to know, and forgotten then", () => {
  const watch = new Watch();
  watch.apply({ status: undefined, withdrawal });
  watch.changed(name);
  watch.failed(name, "why");
  assertEquals([watch.calls, watch.observer], [undefined, undefined]);
  watch.apply({ status, withdrawal });
  const { calls, observer } = watch;
  assert(observer !== undefined);
  watch.changed(name);
  watch.failed(name, "why");
  assertEquals([calls?.size, calls?.of(name)?.fault?.reason], [1, "why"]);
  watch.apply({ status: { ...status }, withdrawal });
  assert(watch.calls === calls && watch.observer === observer);
  watch.apply({ status: undefined, withdrawal });
  assertEquals([watch.calls, watch.observer], [undefined, undefined]);
});

Deno.test("to withdraw addresses, calls are remembered without a status, and kept with one", () => {
  const watch = new Watch();
  const withdrawal = { after: Infinity, least: 1 };
  watch.apply({ status: undefined, withdrawal });
  const { calls } = watch;
  assert(calls !== undefined);
  for (const settings of [{ status, withdrawal }, { status, withdrawal: undefined }]) {
    watch.apply(settings);
    assert(watch.calls === calls);
  }
});
