/** The baseline of every request: Deno.serve with an answer that is always the same. PORT BODY */

const [port, body] = Deno.args;
Deno.serve({ hostname: "127.0.0.1", port: Number(port), onListen: () => {} }, () => {
  return new Response(body!, { headers: { "cache-control": "no-store" } });
});
