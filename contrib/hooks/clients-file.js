// @ts-check
// Clients in a text file beside this one, which is read for each request. Its lines
// are KEY: HOST or KEY: HOST, HOST; those that begin with # are comments.
// In sftdyn.toml: hooks = "clients-file.js"

const FILE = new URL("clients.txt", import.meta.url);

/** @type {import("./sftdyn-hooks.d.ts").GetHost} */
export async function getHost(key) {
  const text = await Deno.readTextFile(FILE);
  for (const line of text.split("\n")) {
    // A key may hold colons, a host cannot.
    const colon = line.lastIndexOf(":");
    if (line.startsWith("#") || line.slice(0, colon).trim() !== key) continue;
    return line.slice(colon + 1).split(",").map((host) => host.trim());
  }
}
