import { assertEquals } from "@std/assert";
import { parseListen } from "../lib/endpoint.ts";
import { serverUrl } from "../lib/server_url.ts";

Deno.test("serverUrl() is what devices request", () => {
  const table: [string[], string[], string | undefined, string][] = [
    [["8080"], [], undefined, "http://SERVER:8080"],
    [["80"], [], undefined, "http://SERVER"],
    [["192.0.2.1:8080"], [], undefined, "http://192.0.2.1:8080"],
    [["[2001:db8::1]:8080"], [], undefined, "http://[2001:db8::1]:8080"],
    [["0.0.0.0:8080"], [], undefined, "http://SERVER:8080"],
    [["8080"], ["4443"], "dyn.example", "https://dyn.example:4443"],
    [["8080"], ["443"], "*.dyn.example\nns.dyn.example", "https://ns.dyn.example"],
    [["8080"], ["192.0.2.1:4443"], "dyn.example", "https://dyn.example:4443"],
    [["8080"], ["4443"], "CN of no host", "https://SERVER:4443"],
    [["127.0.0.1:8080"], [], undefined, "https://SERVER"],
    [["127.0.0.1:8080", "192.0.2.1:81"], [], undefined, "http://192.0.2.1:81"],
    [["8080"], ["[::1]:4443"], "dyn.example", "http://SERVER:8080"],
  ];
  for (const [http, https, names, expected] of table) {
    const certificate = names === undefined ? undefined : { names };
    const url = serverUrl({
      http: http.map(parseListen),
      https: https.map(parseListen),
      certificate,
    });
    assertEquals([http, https, url], [http, https, expected]);
  }
});
