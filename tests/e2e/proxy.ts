/** A reverse proxy as a process: it does not say when it is ready, so its port is tried. */

import { copyProgram } from "../../tools/named.ts";
import { until } from "../support.ts";

/**
 * Runs a proxy while the body does something with it.
 *
 * @param port the one that it listens on
 * @param folder where a copy of it is put, which nothing confines to its own folders
 */
export async function withProxy(
  [name, ...args]: [name: string, ...args: string[]],
  port: number,
  folder: string,
  body: () => Promise<void>,
): Promise<void> {
  const process = new Deno.Command(await copyProgram(name, folder), {
    args,
    env: { HOME: folder, XDG_CONFIG_HOME: folder, XDG_DATA_HOME: folder },
    stdin: "null",
    stdout: "null",
    stderr: "piped",
  }).spawn();
  let log = "", hasEnded = false;
  const reading = (async () => {
    for await (const text of process.stderr.pipeThrough(new TextDecoderStream())) log += text;
  })();
  process.status.then(() => hasEnded = true);
  try {
    await until(`${name} listens`, () => {
      if (hasEnded) throw new Error(`${name} ended:\n${log}`);
      return accepts(port);
    });
    await body();
  } finally {
    if (!hasEnded) process.kill("SIGKILL");
    await Promise.all([process.status, reading]);
  }
}

async function accepts(port: number): Promise<boolean> {
  try {
    (await Deno.connect({ hostname: "127.0.0.1", port })).close();
    return true;
  } catch {
    return false;
  }
}
