import { assertEquals } from "@std/assert";
import { loadConfig } from "../../lib/config/config.ts";
import { parseHostname } from "../../lib/hostname.ts";
import { clientStep } from "../../lib/why/client_step.ts";
import { told } from "./fake_dns.ts";

const host = parseHostname("a.dyn.example");

async function clients(text: string, changes: object = {}): Promise<string[]> {
  const readFile = () => Promise.resolve(new TextEncoder().encode(text));
  const config = await loadConfig("/x.toml", {}, { readFile });
  return told((links) => clientStep(host, { ...config, ...changes }, links));
}

Deno.test("each client of a host is told, with what it may not do", async () => {
  const text = `http = "8080"
[clients]
"0123456789abcdef" = "a.dyn.example"
"1123456789abcdef" = "b.dyn.example"
"2123456789abcdef" = { host = ["b.dyn.example", "a.dyn.example"], networks = ["10.0.0.0/8"], private = false, address = "request" }
`;
  assertEquals((await clients(text)).map((line) => line.replace(/key [0-9a-f]{8}/, "key ID")), [
    "ok: client: /x.toml: line 3: key ID",
    "ok: client: /x.toml: line 5: key ID: only from 10.0.0.0/8; no private addresses; " +
    "may name addresses in the request",
  ]);
});

Deno.test("a host behind a router says so", async () => {
  const text = `http = "8080"
[clients]
"0123456789abcdef" = { host = "r.dyn.example", prefix = { length = 56, hosts = { "a.dyn.example" = "::1:2:3:4:5" } } }
`;
  assertEquals((await clients(text)).map((line) => line.replace(/key [0-9a-f]{8}/, "key ID")), [
    "ok: client: /x.toml: line 3: key ID: its address begins with the router's /56: the router must call",
  ]);
});

Deno.test("a host of no client may be one of the hooks'", async () => {
  const text = 'http = "8080"\n[clients]\n"0123456789abcdef" = "ab.dyn.example"\n';
  assertEquals(await clients(text), [
    "error: client: no client has a.dyn.example; did you mean ab.dyn.example?",
  ]);
  assertEquals(await clients('http = "8080"\n'), ["error: client: no client has a.dyn.example"]);
  assertEquals(await clients(text, { hooks: "hooks.js" }), [
    "note: client: none in /x.toml has a.dyn.example; whether one of the hooks' has is not known",
  ]);
});

Deno.test("a host of very many clients does not fill the screen", async () => {
  const lines = Array.from({ length: 25 }, (_, i) => `"0123456789abcdef${i}" = "${host}"\n`);
  const told = await clients(`http = "8080"\n[clients]\n${lines.join("")}`);
  assertEquals([told.length, told.at(-1)], [21, "note: 5 more have it"]);
});
