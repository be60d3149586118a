/** The update engine's faults, each caused for real: BIND and nsupdate killed, stopped, restarted, frozen. */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { type Named, type NamedOptions, startNamed } from "../../tools/named.ts";
import { generator } from "../support.ts";
import { at, withHosts } from "./hosts.ts";
import { run, type Sftdyn, until, withFolder } from "./sftdyn.ts";

const TIMEOUT = 3;
const BAD = "bad.dyn.example";
const OUTSIDE = "host.outside.example";

function hostOf(i: number): string {
  return `h${i}.dyn.example`;
}

interface Engine {
  named: Named;
  program: Sftdyn;
  /** Requests the update of host N, or of a name, from an address; the answer's body. */
  update: (host: number | string, address: string) => Promise<string>;
  /** Ends sftdyn and starts it again. */
  restart: () => Promise<void>;
  /** How many UPDATEs BIND has been asked for so far. */
  updates: () => Promise<number>;
}

/** sftdyn, with hosts h0, h1, … of dyn.example and these two, at a BIND. */
async function withEngine(
  hosts: number,
  settings: string,
  body: (engine: Engine) => Promise<void>,
  options: NamedOptions = {},
): Promise<void> {
  const named = await startNamed(options);
  try {
    const clients = [...all(hosts, hostOf), BAD, OUTSIDE];
    const inAll = `${at(named)}\ntimeout = ${TIMEOUT}\n${settings}`;
    await withHosts(inAll, clients, async ({ program, update, restart }) => {
      await body({
        named,
        program,
        update: (host, address) => update(typeof host === "number" ? hostOf(host) : host, address),
        restart,
        updates: () => countUpdates(named),
      });
    });
  } finally {
    await named.stop();
  }
}

/** BIND's own count: every UPDATE is a log line of its category update. */
async function countUpdates(named: Named): Promise<number> {
  // What was logged before this is answered has been read.
  await named.rndc("status");
  return named.log().match(/updating zone '[^']+': (adding an RR)/g)?.length ?? 0;
}

/** The whole zone by AXFR: name to addresses. */
async function zone(named: Named, type = "A"): Promise<Map<string, string[]>> {
  const found = new Map<string, string[]>();
  const port = `${named.port}`;
  const { stdout } = await run([
    "dig",
    "@127.0.0.1",
    "-p",
    port,
    "+noall",
    "+answer",
    "dyn.example",
    "AXFR",
  ]);
  for (const line of stdout.split("\n")) {
    const [name, , , recordType, data] = line.split(/\s+/);
    if (recordType !== type) continue;
    const short = name!.replace(".dyn.example.", "");
    found.set(short, [...found.get(short) ?? [], data!]);
  }
  return found;
}

async function childrenOf(pid: number): Promise<number[]> {
  const path = `/proc/${pid}/task/${pid}/children`;
  const { stdout } = await run([
    "sh",
    "-c",
    `cat /proc/${pid}/task/*/children 2>/dev/null || cat ${path}`,
  ]);
  return stdout.split(/\s+/).filter((word) => word !== "").map(Number);
}

/** All nsupdate of this sftdyn, when there are some. */
async function nsupdatesOf(program: Sftdyn): Promise<number[]> {
  let pids: number[] = [];
  await until("nsupdate runs", async () => (pids = await childrenOf(program.pid)).length > 0);
  return pids;
}

async function signal(program: Sftdyn, name: Deno.Signal): Promise<void> {
  for (const pid of await nsupdatesOf(program)) Deno.kill(pid, name);
}

/** Waits until so many changes to this address have reached the engine. */
async function wished(program: Sftdyn, count: number, address: string): Promise<void> {
  const pattern = new RegExp(`will be set to ${address.replaceAll(".", "\\.")}\n`, "g");
  await until(`${count} wishes for ${address}`, () => program.count(pattern) >= count);
}

const all = <T>(count: number, run: (i: number) => T): T[] =>
  Array.from({ length: count }, (_, i) => run(i));

Deno.test("named killed while 100 updates wait: all FAIL, then OK when it is back", async () => {
  await withEngine(100, "", async ({ named, program, update }) => {
    assertEquals(
      new Set(await Promise.all(all(100, (i) => update(i, "192.0.2.1")))),
      new Set(["OK"]),
    );
    named.kill("SIGSTOP");
    const started = Date.now();
    const answers = all(100, (i) => update(i, "192.0.2.2"));
    await wished(program, 100, "192.0.2.2");
    named.kill("SIGKILL");
    assertEquals(new Set(await Promise.all(answers)), new Set(["FAIL"]));
    const seconds = (Date.now() - started) / 1000;
    // One after the other, they would take a hundred times the timeout.
    assert(seconds < 10 * TIMEOUT, `it took ${seconds} s`);
    await named.restart();
    assertEquals(
      new Set(await Promise.all(all(100, (i) => update(i, "192.0.2.3")))),
      new Set(["OK"]),
    );
    const records = await zone(named);
    for (let i = 0; i < 100; i++) assertEquals(records.get(`h${i}`), ["192.0.2.3"]);
  });
});

Deno.test("named restarted with a new session key: the next update is OK", async () => {
  await withEngine(2, "", async ({ named, program, update }) => {
    assertEquals(await update(0, "192.0.2.1"), "OK");
    const before = await Deno.readTextFile(named.keyFile);
    named.kill("SIGKILL");
    await named.restart();
    assert(before !== await Deno.readTextFile(named.keyFile), "the session key is the same");
    assertEquals(await update(0, "192.0.2.2"), "OK");
    assertEquals(await named.dig("h0.dyn.example", "A"), ["192.0.2.2"]);
    assertEquals(program.count(/error/g), 0, program.log());
  });
});

Deno.test("named stopped and continued: FAIL after the timeout, then OK, and the record stays right", async () => {
  // More threads than one, as BIND has them: it may take up old messages late.
  await withEngine(3, "", async ({ named, update }) => {
    for (let round = 1; round <= 2; round++) {
      assertEquals(await update(0, `192.0.2.${round}`), "OK");
      named.kill("SIGSTOP");
      assertEquals(await update(0, `198.51.100.${round}`), "FAIL");
      assertEquals(await update(0, `198.51.100.1${round}`), "FAIL");
      named.kill("SIGCONT");
      await until(
        "named answers",
        async () => (await named.dig("ns.dyn.example", "A")).length === 1,
      );
      assertEquals(await update(0, `203.0.113.${round}`), "OK");
      assertEquals(await named.dig("h0.dyn.example", "A"), [`203.0.113.${round}`]);
      assertMatch(await update(0, `203.0.113.${round}`), /^UPTODATE$/);
    }
  }, { threads: 4 });
});

Deno.test("nsupdate killed while idle or in the middle of a batch: OK, nothing lost", async () => {
  await withEngine(100, "", async ({ named, program, update }) => {
    assertEquals(await update(0, "192.0.2.1"), "OK");
    await signal(program, "SIGKILL");
    assertEquals(await update(0, "192.0.2.2"), "OK");
    assertEquals(await named.dig("h0.dyn.example", "A"), ["192.0.2.2"]);

    // Stopped first, it dies with the whole batch in its input.
    await Promise.all(all(100, (i) => update(i, "192.0.2.3")));
    await signal(program, "SIGSTOP");
    const answers = all(100, (i) => update(i, "192.0.2.4"));
    await wished(program, 100, "192.0.2.4");
    await signal(program, "SIGKILL");
    assertEquals(new Set(await Promise.all(answers)), new Set(["OK"]));
    const records = await zone(named);
    for (let i = 0; i < 100; i++) assertEquals(records.get(`h${i}`), ["192.0.2.4"]);
    assertEquals(program.count(/error/g), 0, program.log());
  });
});

Deno.test("nsupdate stopped: what it has not sent goes through another one, what it may have sent is FAIL", async () => {
  await withEngine(1, "", async ({ named, program, update }) => {
    assertEquals(await update(0, "192.0.2.1"), "OK");
    const stopped = await nsupdatesOf(program);
    for (const pid of stopped) Deno.kill(pid, "SIGSTOP");
    // After 100 ms the zone is found again with the set.
    await new Promise((resolve) => setTimeout(resolve, 150));
    assertEquals(await update(0, "192.0.2.2"), "OK");
    assertEquals(await named.dig("h0.dyn.example", "A"), ["192.0.2.2"]);
    // One that was given its zone still has this UPDATE in its input: nobody knows what became of it.
    assertEquals(await update(0, "192.0.2.3"), "FAIL");
    await program.logged(/h0\.dyn\.example A could not be set to 192\.0\.2\.3: no answer in 3 s/);
    await until("they are dead", async () => {
      const running = await childrenOf(program.pid);
      return stopped.every((pid) => !running.includes(pid));
    });
    assertEquals(await update(0, "192.0.2.3"), "OK");
    assertEquals(await named.dig("h0.dyn.example", "A"), ["192.0.2.3"]);
  });
});

Deno.test("one host of a batch that is forbidden or in no zone FAILs, the others are OK", async () => {
  const policy =
    "update-policy { deny local-ddns name bad.dyn.example; grant local-ddns zonesub any; };";
  await withEngine(99, "", async ({ named, program, update }) => {
    // While this one is stopped, all others gather into one UPDATE.
    assertEquals(await update(0, "192.0.2.1"), "OK");
    await signal(program, "SIGSTOP");
    const first = update(0, "192.0.2.9");
    await wished(program, 1, "192.0.2.9");
    const answers = [
      update(BAD, "192.0.2.2"),
      update(OUTSIDE, "192.0.2.2"),
      ...all(99, (i) => update(i, "192.0.2.2")),
    ];
    await wished(program, 101, "192.0.2.2");
    await signal(program, "SIGCONT");
    assertEquals(await first, "OK");
    const [bad, outside, ...others] = await Promise.all(answers);
    assertEquals([bad, outside], ["FAIL", "FAIL"]);
    assertEquals(new Set(others), new Set(["OK"]));
    const records = await zone(named);
    for (let i = 0; i < 99; i++) assertEquals(records.get(`h${i}`), ["192.0.2.2"]);
    assertEquals(records.get("bad"), undefined);
    await program.logged(/bad\.dyn\.example A could not be set to 192\.0\.2\.2: .*REFUSED/);
    await program.logged(/host\.outside\.example A could not be set to 192\.0\.2\.2: /);
    assertEquals(program.count(/could not be set to/g), 2);
  }, { policy });
});

Deno.test("a frozen zone is FAIL, a thawed one OK", async () => {
  await withEngine(1, "", async ({ named, update }) => {
    assertEquals(await update(0, "192.0.2.1"), "OK");
    await named.rndc("freeze", "dyn.example");
    assertEquals(await update(0, "192.0.2.2"), "FAIL");
    await named.rndc("thaw", "dyn.example");
    assertEquals(await update(0, "192.0.2.2"), "OK");
    assertEquals(await named.dig("h0.dyn.example", "A"), ["192.0.2.2"]);
  });
});

Deno.test("a record changed by hand is put right after recheck", async () => {
  await withEngine(1, "recheck = 1", async ({ named, update }) => {
    assertEquals(await update(0, "192.0.2.1"), "OK");
    const script = `server 127.0.0.1 ${named.port}\nupdate delete h0.dyn.example. A\n` +
      "update add h0.dyn.example. 30 A 203.0.113.99\nsend\n";
    await withFolder(async (folder) => {
      await Deno.writeTextFile(`${folder}/script`, script);
      assertEquals((await run(["nsupdate", "-k", named.keyFile, `${folder}/script`])).code, 0);
    });
    let answer = "";
    await until(
      "recheck is over",
      async () => (answer = await update(0, "192.0.2.1")) !== "UPTODATE",
    );
    assertEquals(answer, "OK");
    assertEquals(await named.dig("h0.dyn.example", "A"), ["192.0.2.1"]);
  });
});

Deno.test("what the nameserver has already right is not sent, and a second address goes", async () => {
  await withEngine(2, "", async ({ named, update, updates }) => {
    const script = `server 127.0.0.1 ${named.port}
update add h0.dyn.example. 30 A 192.0.2.1
update add h1.dyn.example. 30 A 192.0.2.1
update add h1.dyn.example. 30 A 192.0.2.2
send
`;
    await withFolder(async (folder) => {
      await Deno.writeTextFile(`${folder}/script`, script);
      assertEquals((await run(["nsupdate", "-k", named.keyFile, `${folder}/script`])).code, 0);
    });
    const before = await updates();
    assert(before > 0, "BIND's log does not count updates");
    assertEquals(await update(0, "192.0.2.1"), "UPTODATE");
    assertEquals(await updates(), before);
    assertEquals(await update(1, "192.0.2.1"), "OK");
    assertEquals(await named.dig("h1.dyn.example", "A"), ["192.0.2.1"]);
  });
});

Deno.test("sftdyn restarted, 1,000 clients call in unchanged: 1,000 UPTODATE, not one UPDATE", async () => {
  await withEngine(1000, "", async (engine) => {
    const { update, updates } = engine;
    const first = await Promise.all(all(1000, (i) => update(i, `192.0.2.${i % 250}`)));
    assertEquals(new Set(first), new Set(["OK"]));
    const before = await updates();
    assert(before >= 1000, `BIND counted ${before}`);
    await engine.restart();
    const again = await Promise.all(all(1000, (i) => update(i, `192.0.2.${i % 250}`)));
    assertEquals(new Set(again), new Set(["UPTODATE"]));
    assertEquals(await updates(), before);
  });
});

Deno.test("two addresses that alternate on one key change the record once an interval, and the last wins", async () => {
  const INTERVAL = 2;
  const settings = `min_interval = ${INTERVAL}`;
  await withEngine(2, settings, async ({ named, program, update, updates }) => {
    const memory = async () => {
      const status = await Deno.readTextFile(`/proc/${program.pid}/status`);
      return Number(/VmRSS:\s+(\d+)/.exec(status)![1]);
    };
    const before = await updates();
    assertEquals(await update(0, "192.0.2.1"), "OK");
    const started = Date.now();
    let sent = 0, memoryEarly = 0;
    let last = Promise.resolve("");
    let others = 0;
    while (Date.now() - started < 4 * INTERVAL * 1000) {
      // At most 64 wait; whoever is turned away comes again.
      const burst = all(16, () => update(0, `192.0.2.${2 + (sent++ % 2)}`));
      last = burst.at(-1)!;
      const ends = Promise.allSettled(burst);
      if (others % 20 === 0) assertMatch(await update(1, "203.0.113.1"), /^(OK|UPTODATE)$/);
      others++;
      await Promise.race([ends, new Promise((resolve) => setTimeout(resolve, 20))]);
      if (memoryEarly === 0 && Date.now() - started > 2 * INTERVAL * 1000) {
        memoryEarly = await memory();
      }
    }
    const final = update(0, "203.0.113.77");
    await last.catch(() => {});
    let answer = await final;
    while (answer === "FAIL") answer = await update(0, "203.0.113.77");
    assertMatch(answer, /^(OK|UPTODATE)$/);
    assertEquals(await named.dig("h0.dyn.example", "A"), ["203.0.113.77"]);
    const seconds = (Date.now() - started) / 1000;
    const changes = await updates() - before - 1; // One was the other host's.
    assert(changes <= 1 + Math.ceil(seconds / INTERVAL), `${changes} changes in ${seconds} s`);
    const memoryLate = await memory();
    assert(memoryLate < memoryEarly * 1.5, `${memoryEarly} KB grew to ${memoryLate} KB`);
  });
});

Deno.test("20,000 updates of 2,000 hosts while named dies twice: every host has its last OK", async () => {
  const seed = Number(Deno.env.get("SFTDYN_SEED") ?? Math.floor(Math.random() * 2 ** 31));
  console.log(`seed ${seed} (SFTDYN_SEED=${seed} repeats it)`);
  const random = generator(seed);
  const HOSTS = 2000, UPDATES = 20_000, CONNECTIONS = 64;
  await withEngine(HOSTS, "recheck = 300", async ({ named, update }) => {
    const order = all(UPDATES, (i) => i % HOSTS);
    for (let i = order.length - 1; i > 0; i--) {
      const j = Math.floor(random() * (i + 1));
      [order[i], order[j]] = [order[j]!, order[i]!];
    }
    const lastOk = new Map<number, string>();
    /** Hosts whose last request failed: what the zone has for them is not known. */
    const inDoubt = new Map<number, string[]>();
    const busy = new Set<number>();
    let done = 0, next = 0;
    const counts: Record<string, number> = {};
    const worker = async () => {
      while (next < order.length) {
        const number = next++;
        const host = order[number]!;
        // One request of a host at a time, so that "last" means something.
        await until(`host ${host} is free`, () => !busy.has(host));
        busy.add(host);
        const address = `10.${number >> 16}.${number >> 8 & 255}.${number & 255}`;
        const answer = await update(host, address);
        counts[answer] = (counts[answer] ?? 0) + 1;
        if (answer === "OK" || answer === "UPTODATE") {
          lastOk.set(host, address);
          inDoubt.delete(host);
        } else inDoubt.set(host, [...inDoubt.get(host) ?? [], address]);
        busy.delete(host);
        done++;
      }
    };
    const killer = async () => {
      for (const share of [0.3, 0.6]) {
        // As many seconds as a busy machine may need for so much.
        await until("its time comes", () => done >= UPDATES * share, 120_000);
        named.kill("SIGKILL");
        await named.restart();
      }
    };
    await Promise.all([...all(CONNECTIONS, worker), killer()]);
    const unsure = [...inDoubt.keys()];
    const records = await zone(named);
    const wrong: string[] = [];
    for (let host = 0; host < HOSTS; host++) {
      const found = records.get(`h${host}`) ?? [];
      const possible = [lastOk.get(host), ...inDoubt.get(host) ?? []];
      if (found.length > 1 || !possible.includes(found[0])) {
        wrong.push(`h${host}: ${found} instead of ${possible}`);
      }
    }
    console.log(JSON.stringify(counts));
    assertEquals(wrong, []);
    // Whoever got FAIL calls again, as a router does; then all is certain.
    for (const host of unsure) {
      const address = `10.255.${host >> 8}.${host & 255}`;
      assertEquals(await update(host, address), "OK");
      lastOk.set(host, address);
    }
    const final = await zone(named);
    for (let host = 0; host < HOSTS; host++) {
      assertEquals(final.get(`h${host}`), [lastOk.get(host)], `h${host}`);
    }
    assert(counts.OK! > UPDATES / 2, JSON.stringify(counts));
  });
});
