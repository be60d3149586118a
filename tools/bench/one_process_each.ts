/**
 * The baseline of every update: one nsupdate for each request, as the Python
 * sftdyn does it. PORT NAMESERVER-PORT KEYFILE; a key is keyN, its host hN.dyn.example.
 */

const [port, dnsPort, keyFile] = Deno.args;
Deno.serve({ hostname: "127.0.0.1", port: Number(port), onListen: () => {} }, async (request) => {
  const host = `h${new URL(request.url).pathname.slice("/key".length)}.dyn.example.`;
  const address = request.headers.get("x-forwarded-for") ?? "127.0.0.1";
  const nsupdate = new Deno.Command("nsupdate", {
    args: ["-k", keyFile!],
    stdin: "piped",
    stdout: "null",
    stderr: "null",
  }).spawn();
  const stdin = nsupdate.stdin.getWriter();
  await stdin.write(new TextEncoder().encode(
    `server 127.0.0.1 ${dnsPort}\nupdate delete ${host} A\nupdate add ${host} 30 A ${address}\nsend\n`,
  ));
  await stdin.close();
  const { success } = await nsupdate.status;
  return new Response(success ? "OK" : "FAIL", { status: success ? 200 : 500 });
});
