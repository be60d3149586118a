/** Two sftdyn behind a real HAProxy, for one zone of one BIND. */

import { assert, assertEquals } from "@std/assert";
import { freePort, type Named, startNamed } from "../../tools/named.ts";
import { generator, within } from "../support.ts";
import { at, withHosts } from "./hosts.ts";
import { withProxy } from "./proxy.ts";
import { run, type Sftdyn, withFolder } from "./sftdyn.ts";

const HOSTS = Array.from({ length: 100 }, (_, i) => `h${i}.dyn.example`);
const UPDATES = 2000;
const CONNECTIONS = 24;
/** Addresses that a host has in turn: few, so that an UPTODATE that is not so would show. */
const ADDRESSES = 3;

interface Balanced {
  named: Named;
  programs: Sftdyn[];
  /** Requests the update of a host from an address, through HAProxy; the answer's body. */
  update: (host: string, address: string) => Promise<string>;
}

async function withBalanced(
  balance: string,
  settings: string,
  body: (balanced: Balanced) => Promise<void>,
): Promise<void> {
  const named = await startNamed();
  try {
    const all = `${at(named)}\n${settings}`;
    await withHosts(all, HOSTS, async (one) => {
      await withHosts(all, HOSTS, async (other) => {
        await withHaproxy([one.port, other.port], balance, async (port) => {
          const client = Deno.createHttpClient({ poolMaxIdlePerHost: CONNECTIONS });
          const update = async (host: string, address: string) => {
            const headers = { "X-Test-Address": address };
            const asking = fetch(`http://127.0.0.1:${port}/${host}`, { headers, client });
            return await (await within(asking, `an answer for ${host}`)).text();
          };
          try {
            await body({ named, programs: [one.program, other.program], update });
          } finally {
            client.close();
          }
        });
      });
    });
  } finally {
    await named.stop();
  }
}

/**
 * With an HAProxy in front of these ports. Whatever the client says of its
 * address is replaced, not appended to; here by what the test wants.
 */
async function withHaproxy(
  ports: number[],
  balance: string,
  body: (port: number) => Promise<void>,
): Promise<void> {
  await withFolder(async (folder) => {
    const port = freePort();
    await Deno.writeTextFile(
      `${folder}/haproxy.cfg`,
      `defaults
  mode http
  timeout connect 5s
  timeout client 30s
  timeout server 30s
  http-reuse never
frontend public
  bind 127.0.0.1:${port}
  http-request set-header X-Forwarded-For %[req.hdr(X-Test-Address)]
  default_backend sftdyn
backend sftdyn
  ${balance}
${ports.map((port) => `  server sftdyn-${port} 127.0.0.1:${port}\n`).join("")}`,
    );
    const haproxy: [string, ...string[]] = ["haproxy", "-db", "-f", `${folder}/haproxy.cfg`];
    await withProxy(haproxy, port, folder, () => body(port));
  });
}

/** Shuffled updates, one of a host at a time; the address of each host's last OK or UPTODATE. */
async function updateAll({ update }: Balanced): Promise<Map<string, string>> {
  const seed = Number(Deno.env.get("SFTDYN_SEED") ?? Math.floor(Math.random() * 2 ** 31));
  console.log(`seed ${seed} (SFTDYN_SEED=${seed} repeats it)`);
  const random = generator(seed);
  const hosts = Array.from({ length: UPDATES }, (_, i) => i % HOSTS.length);
  for (let i = hosts.length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    [hosts[i], hosts[j]] = [hosts[j]!, hosts[i]!];
  }
  const jobs = hosts.map((host) => ({
    host,
    address: `10.0.${host}.${1 + Math.floor(random() * ADDRESSES)}`,
  }));
  const last = new Map<string, string>();
  const counts: Record<string, number> = {};
  const busy = new Set<number>();
  const worker = async () => {
    while (jobs.length > 0) {
      // There is one: a job is left, and fewer hosts are busy than workers run.
      const job = jobs.findIndex(({ host }) => !busy.has(host));
      if (job === -1) return;
      const [{ host, address }] = jobs.splice(job, 1) as [typeof jobs[0]];
      busy.add(host);
      const answer = await update(HOSTS[host]!, address);
      counts[answer] = (counts[answer] ?? 0) + 1;
      if (answer === "OK" || answer === "UPTODATE") last.set(`h${host}`, address);
      busy.delete(host);
    }
  };
  await Promise.all(Array.from({ length: CONNECTIONS }, worker));
  console.log(JSON.stringify(counts));
  assertEquals(Object.keys(counts).sort(), ["OK", "UPTODATE"]);
  return last;
}

/** The zone by AXFR: what each host has. */
async function zone({ port }: Named): Promise<Map<string, string>> {
  const { stdout } = await run(
    ["dig", "@127.0.0.1", "-p", `${port}`, "+noall", "+answer", "dyn.example", "AXFR"],
  );
  const found = new Map<string, string>();
  for (const line of stdout.split("\n")) {
    const [, name, address] = /^(h\d+)\.dyn\.example\.\s.*\sA\s+(\S+)$/.exec(line) ?? [];
    if (name === undefined) continue;
    const others = found.get(name);
    found.set(name, others === undefined ? address! : `${others} and ${address}`);
  }
  return found;
}

/** The hosts whose records this one has set. */
function hostsOf(program: Sftdyn): Set<string> {
  return new Set(program.log().match(/\bh\d+(?=\.dyn\.example A .* -> )/g));
}

Deno.test("balanced by the URL's hash, the zone has each host's last OK", async () => {
  const balance = "balance uri whole\n  hash-type consistent";
  await withBalanced(balance, "", async (balanced) => {
    const last = await updateAll(balanced);
    assertEquals(await zone(balanced.named), last);
    const [one, other] = balanced.programs.map(hostsOf);
    assert(one!.size > 0 && other!.size > 0, `${one!.size} and ${other!.size} hosts`);
    assertEquals([...one!].filter((host) => other!.has(host)), [], "hosts of both");
    assertEquals(one!.size + other!.size, HOSTS.length);
  });
});

Deno.test("balanced in turn with recheck = 0, the zone has each host's last OK", async () => {
  await withBalanced("balance roundrobin", "recheck = 0", async (balanced) => {
    const last = await updateAll(balanced);
    assertEquals(await zone(balanced.named), last);
    for (const program of balanced.programs) {
      const { size } = hostsOf(program);
      assert(size > HOSTS.length / 2, `one of them set records of ${size} hosts only`);
    }
  });
});
