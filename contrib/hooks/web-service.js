// @ts-check
// Clients in a web service of your own. It gets {"key": KEY, "ip": ADDRESS} by POST,
// and answers with a list of hosts, as JSON, or with status 404.
// In sftdyn.toml: hooks = "web-service.js"

const SERVICE = "http://127.0.0.1:8000/hosts";

/** @type {import("./sftdyn-hooks.d.ts").GetHost} */
export async function getHost(key, ip) {
  const response = await fetch(SERVICE, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ key, ip }),
    signal: AbortSignal.timeout(3000),
  });
  if (response.ok) return await response.json();
  await response.body?.cancel();
  // Anything else is FAIL, and a line in the log.
  if (response.status !== 404) throw new Error(`the service answered ${response.status}`);
}
