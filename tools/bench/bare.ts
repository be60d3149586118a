/** The baseline of every request: Deno.serve with an answer that is always the same. PORT BODY [CERT KEY] */

const [port, body, certFile, keyFile] = Deno.args;
const tls = certFile === undefined
  ? {}
  : { cert: Deno.readTextFileSync(certFile), key: Deno.readTextFileSync(keyFile!) };
Deno.serve({ hostname: "127.0.0.1", port: Number(port), onListen: () => {}, ...tls }, () => {
  return new Response(body!, { headers: { "cache-control": "no-store" } });
});
