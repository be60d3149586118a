/**
 * A sftdyn that is attacked, and how the others fare meanwhile. The attackers come from
 * 127.0.0.0/8, the others from ::1. SFTDYN_HOSTILE=full makes attacks larger and
 * longer, prints what was measured, and asserts figures, too.
 */

import { assert, assertEquals } from "@std/assert";
import { freePort, type Named, startNamed } from "../../tools/named.ts";
import { makeCertificate, PROGRAM, Sftdyn, withFolder } from "./sftdyn.ts";

export const KEY = "0123456789abcdef-secret";
export const SCHEMES = ["http", "https"] as const;
export type Scheme = typeof SCHEMES[number];

export const isFull = Deno.env.get("SFTDYN_HOSTILE") === "full";
/** MB that it may have resident, whatever comes. */
export const MOST_MEMORY = 256;
/** How many requests others make at least, while an attack goes on. */
const OTHERS = 100;
/** Milliseconds within which nearly all of the others' requests are answered. */
const P99 = 200;

export interface Victim {
  named: Named;
  program: Sftdyn;
  folder: string;
  /** Ports, of 127.0.0.1 and ::1 alike. */
  http: number;
  https: number;
  /** The certificate. */
  trust: string;
  /** Requests a key as another device, from another address than the attackers'. */
  ask: (scheme: Scheme, key?: string) => Promise<string>;
}

export interface VictimOptions {
  /** Of file descriptors. */
  limit?: number;
  /** It has ended when the body is done. */
  endsItself?: boolean;
  /** Lines for its configuration. */
  settings?: string;
  /** More lines for its clients. */
  clients?: string;
}

export async function withVictim(
  body: (victim: Victim) => Promise<void>,
  { limit, endsItself = false, settings = "min_interval = 0", clients = "" }: VictimOptions = {},
): Promise<void> {
  const named = await startNamed();
  try {
    await withFolder(async (folder) => {
      await makeCertificate(folder);
      const [http, https] = [freePort(), freePort()];
      const file = `${folder}/sftdyn.toml`;
      await Deno.writeTextFile(
        file,
        `http = ["127.0.0.1:${http}", "[::1]:${http}"]
https = ["127.0.0.1:${https}", "[::1]:${https}"]
cert = "cert.pem"
key = "key.pem"
nameserver = "127.0.0.1:${named.port}"
nskeyfile = "${named.keyFile}"
${settings}
[clients]
"${KEY}" = "host.dyn.example"
"other" = "other.dyn.example"
${clients}`,
      );
      const limited = limit === undefined ? [] : ["prlimit", `--nofile=${limit}`];
      const [first, ...rest] = [...limited, ...PROGRAM];
      const program = await Sftdyn.start(["-v", file], { listeners: 4 }, [first!, ...rest]);
      const trust = await Deno.readTextFile(`${folder}/cert.pem`);
      using client = Deno.createHttpClient({ caCerts: [trust], poolMaxIdlePerHost: 0 });
      const ask = async (scheme: Scheme, key = KEY) => {
        const port = { http, https }[scheme];
        const response = await fetch(`${scheme}://[::1]:${port}/${key}`, { client });
        return `${response.status} ${await response.text()}`;
      };
      try {
        assertEquals(await ask("http"), "200 OK");
        assertEquals(await ask("https"), "200 UPTODATE");
        await body({ named, program, folder, http, https, trust, ask });
        if (!endsItself) {
          for (const scheme of SCHEMES) assertEquals(await ask(scheme), "200 UPTODATE");
        }
      } catch (error) {
        console.log(`sftdyn's log ends:\n${program.log().slice(-3000)}`);
        throw error;
      } finally {
        const log = program.log();
        assertEquals(endsItself ? await program.ended() : await program.stop(), 0);
        assert(!/^ +at /m.test(log), `a stack trace: ${log.slice(0, 5000)}`);
        assert(!log.includes(KEY), "the key is in the log");
      }
    });
  } finally {
    await named.stop();
  }
}

export interface Served {
  perSecond: number;
  /** Milliseconds. */
  p99: number;
  /** MB, the most since it was started. */
  memory: number;
}

/** What others get: they ask over HTTP and HTTPS in turns until it is over. */
export async function serveOthers(
  { ask, program }: Victim,
  isOver: () => boolean,
): Promise<Served> {
  const times: number[] = [];
  const started = performance.now();
  while (times.length < OTHERS || !isOver()) {
    const asked = performance.now();
    assertEquals(await ask(SCHEMES[times.length % 2]!), "200 UPTODATE");
    times.push(performance.now() - asked);
  }
  const seconds = (performance.now() - started) / 1000;
  const { most: memory } = await program.memory();
  times.sort((a, b) => a - b);
  return {
    perSecond: times.length / seconds,
    p99: times[Math.floor(times.length * 0.99)]!,
    memory,
  };
}

/** Asserts what others may expect whatever happens. */
export function assertServed(what: string, { perSecond, p99, memory }: Served): void {
  assert(memory < MOST_MEMORY, `${memory} MB`);
  figure(
    `${what}: others ${perSecond.toFixed(0)}/s, p99 ${p99.toFixed(1)} ms, memory at most ` +
      `${memory.toFixed(0)} MB`,
    p99 < P99,
  );
}

/** Prints what was measured, and asserts what only the full size asserts. */
export function figure(text: string, isGood = true): void {
  if (!isFull) return;
  console.log(text);
  assert(isGood, text);
}
