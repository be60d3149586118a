import { assertEquals } from "@std/assert";
import { systemResolver } from "../../lib/why/resolver.ts";

Deno.test("systemResolver() asks for whole names, and has nothing where there is no answer", async () => {
  const asked: string[] = [];
  const resolve = ((name: string, type: string, { signal }: { signal: AbortSignal }) => {
    asked.push(`${name} ${type}`);
    if (type === "A") return Promise.resolve(["192.0.2.1", "no address"]);
    if (type === "NS") return Promise.resolve(["NS1.example."]);
    return new Promise((_, reject) =>
      signal.addEventListener("abort", () => reject(new Error("late")))
    );
  }) as unknown as typeof Deno.resolveDns;
  const resolver = systemResolver({ timeout: 20, resolve });
  assertEquals(await resolver.addresses("ns1.example"), ["192.0.2.1"]);
  assertEquals(await resolver.nameservers("example"), ["ns1.example"]);
  assertEquals(await resolver.nameservers(""), ["ns1.example"]);
  assertEquals(asked, ["ns1.example. A", "ns1.example. AAAA", "example. NS", ". NS"]);
});
