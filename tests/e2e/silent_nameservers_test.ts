/** A hundred zones whose nameservers take everything and answer nothing, beside a real BIND. */

import { assert, assertEquals } from "@std/assert";
import dgram from "node:dgram";
import { freePort, startNamed } from "../../tools/named.ts";
import { at, withHosts } from "./hosts.ts";
import { until } from "./sftdyn.ts";

/** On one port of all addresses of this machine. */
interface SilentNameserver {
  port: number;
  /** From how many sockets it was sent something. */
  heard(): number;
  stop(): Promise<void>;
}

async function silentNameserver(): Promise<SilentNameserver> {
  const port = freePort();
  const everywhere = "0.0.0.0";
  const clients = new Set<number>();
  const socket = dgram.createSocket("udp4");
  socket.on("message", (_message, client) => clients.add(client.port));
  await new Promise<void>((resolve) => socket.bind(port, everywhere, resolve));
  const listener = Deno.listen({ hostname: everywhere, port });
  const streams: Deno.Conn[] = [];
  const accepting = (async () => {
    for await (const stream of listener) streams.push(stream);
  })();
  return {
    port,
    heard: () => clients.size,
    async stop() {
      listener.close();
      await accepting;
      for (const stream of streams) stream.close();
      await new Promise<void>((resolve) => socket.close(() => resolve()));
    },
  };
}

const ZONES = 100;
const TIMEOUT = 2;

for (
  const [name, addressOf, waiting] of [
    // Fewer than the sessions of one nameserver, which are used in turn.
    ["one silent nameserver", () => "127.0.0.1", 10],
    ["a silent nameserver each", (i: number) => `127.1.1.${1 + i}`, ZONES / 2],
  ] as const
) {
  Deno.test(`${ZONES} zones of ${name} are FAIL in the end, and others OK at once`, async () => {
    const named = await startNamed();
    const nameserver = await silentNameserver();
    try {
      const zones = Array.from({ length: ZONES }, (_, i) =>
        `[zones."silent${i}.example"]
nameserver = "${addressOf(i)}:${nameserver.port}"
nskeyfile = "${named.keyFile}"
`);
      const silent = zones.map((_, i) => `host.silent${i}.example`);
      const good = Array.from({ length: 10 }, (_, i) => `host${i}.dyn.example`);
      const settings = `${at(named)}\ntimeout = ${TIMEOUT}\n${zones.join("")}`;
      await withHosts(settings, [...silent, ...good], async ({ program, update }) => {
        let failed = 0;
        const failing = Promise.all(silent.map(async (host) => {
          const answer = await update(host, "192.0.2.1");
          failed++;
          return answer;
        }));
        // Where the others fail first, that is what is told.
        failing.catch(() => {});
        const updateGood = async (address: string) => {
          const answers = await Promise.all(good.map((host) => update(host, address)));
          assertEquals(failed, 0, "they waited for the silent ones");
          assertEquals(new Set(answers), new Set(["OK"]));
        };
        // While the others are on their way to their nameserver, and when they wait for it.
        await updateGood("192.0.2.1");
        await until("the silent ones wait", () => nameserver.heard() >= waiting);
        await updateGood("192.0.2.2");
        assertEquals(await named.dig(good[0]!, "A"), ["192.0.2.2"]);
        assertEquals(new Set(await failing), new Set(["FAIL"]));
        assert(program.log().includes(`no answer in ${TIMEOUT} s`), program.log());
      });
    } finally {
      await nameserver.stop();
      await named.stop();
    }
  });
}
