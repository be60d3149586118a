import { assertEquals } from "@std/assert";
import type { ClientFiles } from "../../lib/config/client_files.ts";
import { Reloads } from "../../lib/status/reloads.ts";

Deno.test("a reload that failed is a fault until one is done", () => {
  let now = Date.UTC(2026, 10, 5);
  const files = { clientFiles: undefined, https: [] };
  const nothing = { fault: undefined };
  const reloads = new Reloads({
    config: () => files,
    clientWatch: nothing,
    certificateWatch: nothing,
    now: () => now,
  });
  const startedAt = now;
  assertEquals([reloads.isDone, reloads.doneAt, reloads.faults], [true, startedAt, []]);
  now += 1000;
  reloads.ended("why");
  assertEquals([reloads.isDone, reloads.doneAt], [false, startedAt]);
  now += 1000;
  assertEquals(reloads.faults, ["not reloaded at 2026-11-05T00:00:01.000Z: why"]);
  reloads.ended();
  assertEquals([reloads.isDone, reloads.doneAt, reloads.faults], [true, now, []]);
});

Deno.test("files at fault are told while they are configured", () => {
  const faultsOf = (clientFiles: object | undefined, ports: number[]) =>
    new Reloads({
      config: () => ({
        clientFiles: clientFiles as ClientFiles | undefined,
        https: ports.map((port) => ({ hostname: undefined, port })),
      }),
      clientWatch: { fault: "of clients" },
      certificateWatch: { fault: "of the certificate" },
    }).faults;
  assertEquals(faultsOf(undefined, []), []);
  assertEquals(faultsOf({}, [443]), [
    "the previous clients are kept: of clients",
    "https keeps the previous certificate: of the certificate",
  ]);
});
