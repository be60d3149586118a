/** The status listener: asked by curl, Prometheus' own tool, and those who may not. */

import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { freePort, type Named, startNamed } from "../../tools/named.ts";
import { findProgram } from "../../tools/setup.ts";
import { at } from "./hosts.ts";
import { block } from "./readme.ts";
import {
  curl,
  makeCertificate,
  PROGRAM,
  run,
  Sftdyn,
  sftdyn,
  until,
  withFolder,
} from "./sftdyn.ts";

/** What every key in these tests has in it. */
const SECRET = "0123456789abcdef-secret";

interface Watched {
  named: Named;
  program: Sftdyn;
  folder: string;
  http: number;
  /** The status of an update with a key that begins so, and its body. */
  update: (key: string) => Promise<string>;
  /** What is answered at a path of the status listener. */
  ask: (path: string, ...args: string[]) => Promise<string>;
  /** Writes the configuration, has it read, and waits until that is done. */
  reload: (settings: string, clients?: string) => Promise<void>;
}

const CLIENTS = `"one-${SECRET}" = "one.dyn.example"
"two-${SECRET}" = ["two.dyn.example", "three.dyn.example"]
"elsewhere-${SECRET}" = "host.elsewhere.example"
`;

async function withWatched(
  settings: string,
  body: (watched: Watched) => Promise<void>,
): Promise<void> {
  const named = await startNamed();
  try {
    await withFolder(async (folder) => {
      const [http, https, status] = [freePort(), freePort(), freePort()];
      let port = status;
      const write = (settings: string, clients = CLIENTS) => {
        port = Number(/^status = .*:(\d+)/m.exec(settings)?.[1] ?? status);
        return Deno.writeTextFile(
          `${folder}/sftdyn.toml`,
          `http = "127.0.0.1:${http}"
https = "127.0.0.1:${https}"
cert = "cert.pem"
key = "key.pem"
min_interval = 0
${/^status =/m.test(settings) ? "" : `status = "127.0.0.1:${port}"`}
${at(named)}
${settings}
[clients]
${clients}`,
          { mode: 0o600 },
        );
      };
      await makeCertificate(folder);
      await write(settings);
      const program = await Sftdyn.start(["-v", `${folder}/sftdyn.toml`], { listeners: 3 });
      let said = "";
      try {
        await body({
          named,
          program,
          folder,
          http,
          update: (key) => curl(`http://127.0.0.1:${http}/${key}-${SECRET}`),
          async ask(path, ...args) {
            const answer = await curl(...args, `http://127.0.0.1:${port}${path}`);
            said += answer;
            return answer;
          },
          async reload(settings, clients) {
            const done = /reloaded/g;
            const before = program.count(done);
            await write(settings, clients);
            program.kill("SIGHUP");
            await until("it is reloaded", () => program.count(done) > before);
          },
        });
      } finally {
        const code = await program.stop();
        const log = program.log();
        assertEquals(code, 0, log);
        assert(!/^ +at /m.test(log), `a stack trace is in the log: ${log}`);
        assert(!`${log}${said}`.includes(SECRET), "a key is told");
      }
    });
  } finally {
    await named.stop();
  }
}

/** The value of a sample; undefined if there is none. */
function valueOf(metrics: string, sample: string): number | undefined {
  const line = metrics.split("\n").find((line) => line.startsWith(`${sample} `));
  return line === undefined ? undefined : Number(line.slice(sample.length));
}

Deno.test("what has happened is in /metrics, which promtool finds nothing to say of", async () => {
  await withWatched("", async ({ folder, http, update, ask }) => {
    const before = Date.now() / 1000;
    assertEquals(await update("one"), "200 OK");
    assertEquals(await update("one"), "200 UPTODATE");
    assertEquals(await update("two"), "200 OK");
    assertEquals(await update("elsewhere"), "500 FAIL");
    assertEquals(await update("wrong"), "403 BADKEY");
    assertEquals(await curl("-X", "POST", `http://127.0.0.1:${http}/`), "405 ");
    const metrics = await ask("/metrics");
    assertMatch(metrics, /^200 # HELP sftdyn_build_info /);
    await Deno.writeTextFile(`${folder}/metrics`, metrics.slice("200 ".length));
    const checked = await run(["sh", "-c", 'promtool check metrics <"$0"', `${folder}/metrics`]);
    assertEquals(checked, { code: 0, stdout: "", stderr: "" });
    await Deno.writeTextFile(`${folder}/prometheus.yml`, block("scrape_configs:"));
    const scraped = await run(["promtool", "check", "config", `${folder}/prometheus.yml`]);
    assertEquals(scraped.code, 0, scraped.stderr);
    for (
      const [sample, value] of [
        ['sftdyn_updates_total{result="ok"}', 3],
        ['sftdyn_updates_total{result="uptodate"}', 1],
        ['sftdyn_updates_total{result="fail"}', 1],
        ['sftdyn_updates_total{result="busy"}', 0],
        ['sftdyn_requests_total{protocol="secret_url",status="200"}', 3],
        ['sftdyn_requests_total{protocol="secret_url",status="403"}', 1],
        ['sftdyn_requests_total{protocol="none",status="405"}', 1],
        ['sftdyn_host_up_to_date{host="one.dyn.example"}', 1],
        ['sftdyn_host_up_to_date{host="host.elsewhere.example"}', 0],
        ['sftdyn_host_last_change_timestamp_seconds{host="host.elsewhere.example"}', undefined],
        ["sftdyn_clients", 3],
        ["sftdyn_hosts", 4],
        ["sftdyn_host_metrics_left_out", 0],
        ["sftdyn_waiting_records", 0],
        ["sftdyn_config_last_reload_successful", 1],
      ] as const
    ) assertEquals(valueOf(metrics, sample), value, `${sample} of ${metrics}`);
    for (const name of ["request", "change"]) {
      const sample = `sftdyn_host_last_${name}_timestamp_seconds{host="three.dyn.example"}`;
      const time = valueOf(metrics, sample)!;
      assert(time >= before - 0.001 && time <= Date.now() / 1000, metrics);
    }
    assert(valueOf(metrics, "sftdyn_nsupdate_sessions")! > 0, metrics);
    const days = (valueOf(metrics, "sftdyn_certificate_expiry_timestamp_seconds")! - before) /
      86400;
    assert(days > 29 && days < 31, metrics);
    const hosts = JSON.parse((await ask("/hosts.json")).slice("200 ".length));
    assertEquals(
      // Two and three have called at the same time, or nearly.
      hosts.hosts.map(({ host, a, answer }: Record<string, string>) => `${host} ${a} ${answer}`)
        .sort(),
      [
        "host.elsewhere.example null FAIL",
        "one.dyn.example 127.0.0.1 UPTODATE",
        "three.dyn.example 127.0.0.1 OK",
        "two.dyn.example 127.0.0.1 OK",
      ],
    );
    assertMatch(await ask("/"), /^200 <!DOCTYPE html>/i);
  });
});

Deno.test("/health says what is wrong, for as long as it is", async () => {
  await withWatched("", async ({ named, program, folder, update, ask, reload }) => {
    // Long enough for it to ask again.
    const health = async (expected: RegExp) => {
      let answer = "";
      await until(`${expected}`, async () => expected.test(answer = await ask("/health")));
      return answer;
    };
    const serial = await named.dig("dyn.example", "SOA");
    assertEquals(await ask("/health"), "200 ok\n");
    assertEquals(await named.dig("dyn.example", "SOA"), serial, "it changed something");
    assertEquals(await update("one"), "200 OK");

    await named.rndc("freeze", "dyn.example");
    const nameserver =
      `nameserver 127\\.0\\.0\\.1:${named.port}, asked about one\\.dyn\\.example: `;
    await health(new RegExp(`^503 ${nameserver}REFUSED: see named's log.*\n$`));
    await named.rndc("thaw", "dyn.example");
    await health(/^200 ok\n$/);
    await named.killed();
    await health(new RegExp(`^503 ${nameserver}.*\n$`));
    await named.restart();
    await health(/^200 ok\n$/);

    await reload("ttl = 0.5");
    const faulty = await ask("/health");
    assertMatch(
      faulty,
      /^503 not reloaded at 20\S+Z: \S+sftdyn\.toml: line \d+: ttl: expected a whole number.*\n$/,
    );
    let metrics = await ask("/metrics");
    assertEquals(valueOf(metrics, "sftdyn_config_last_reload_successful"), 0);
    assertStringIncludes(await ask("/hosts.json"), faulty.slice("503 ".length, -1));
    // It moves, and what is known of hosts stays.
    const moved = freePort();
    await reload(`status = "127.0.0.1:${moved}"`);
    assertEquals(await ask("/health"), "200 ok\n");
    metrics = await ask("/metrics");
    assertEquals(valueOf(metrics, "sftdyn_config_last_reload_successful"), 1);
    assertEquals(valueOf(metrics, 'sftdyn_updates_total{result="ok"}'), 1);
    // Where it cannot listen, all is as it was.
    using _taken = Deno.listen({ hostname: "127.0.0.1", port: moved + 1 });
    await Deno.writeTextFile(
      `${folder}/sftdyn.toml`,
      (await Deno.readTextFile(`${folder}/sftdyn.toml`)).replace(`:${moved}`, `:${moved + 1}`),
    );
    program.kill("SIGHUP");
    await program.logged(/not reloaded.*status 127\.0\.0\.1:\d+: already in use/);
    assertMatch(await ask("/health"), /^503 not reloaded .* already in use by another program\n$/);
  });
});

Deno.test("a page in a browser cannot read it, and nobody can change anything", async () => {
  await withWatched("", async ({ program, ask }) => {
    for (const host of ["evil.example", "127.0.0.1.evil.example:80", "[evil]", "evil.", "a b"]) {
      assertMatch(await ask("/metrics", "-H", `Host: ${host}`), /^403 ask for it by its IP/, host);
    }
    for (const host of ["localhost:9053", "[::1]:9053", "192.0.2.1", "sftdyn"]) {
      assertMatch(await ask("/metrics", "-H", `Host: ${host}`), /^200 /, host);
    }
    for (const args of [["-X", "POST"], ["-X", "DELETE"], ["--head"]]) {
      assertMatch(await ask("/", ...args), /^405 /);
    }
    assertMatch(await ask("/health", "-0"), /^200 ok/);
    assertMatch(await ask("/favicon.ico"), /^404 there are \/, \/health, \/metrics, \/hosts\.json/);
    const headers = await ask("/", "-i");
    assertMatch(
      headers,
      /^content-security-policy: default-src 'none'; style-src 'unsafe-inline'\r$/m,
    );
    assertMatch(headers, /^x-content-type-options: nosniff\r$/m);
    assertMatch(headers, /^content-type: text\/html;charset=UTF-8\r$/m);
    assert(!/access-control/i.test(headers), headers);
    assertEquals(program.count(/^.* (error|warning): .*/gm), 0, program.log());
  });
});

Deno.test("others may ask only if they are in status_networks", async () => {
  await withFolder(async (folder) => {
    const config = (more: string) =>
      Deno.writeTextFile(`${folder}/sftdyn.toml`, `http = "8080"\n${more}\n[clients]\n`);
    for (const status of ["9053", "0.0.0.0:9053", "[::]:9053", "192.0.2.1:9053"]) {
      await config(`status = "${status}"`);
      const { code, stderr } = await sftdyn([`${folder}/sftdyn.toml`]);
      assertEquals(code, 2);
      assertMatch(
        stderr,
        /toml: line 2: status: .* set status_networks to who may ask, like \["192\.0\.2\.0\/24"\]/,
      );
    }
    await config(`status = "9053"\nstatus_networks = ["192.0.2.0/24", "2001:db8::/32"]`);
    const script = `
ip link set lo up
for a in 192.0.2.1/32 198.51.100.1/32 2001:db8::1/128 2001:db9::1/128; do
  ip addr add $a dev lo nodad
done
"$@" "$CONF" 2>&1 & sftdyn=$!
until curl -s 127.0.0.1:9053/health; do kill -0 $sftdyn || exit 1; sleep 0.05; done
for a in 192.0.2.1 198.51.100.1 '[2001:db8::1]' '[2001:db9::1]'; do
  curl -s --interface "$(echo $a | tr -d '[]')" -o /dev/null -w "$a %{http_code}\\n" "http://$a:9053/metrics"
done
"$@" check "$CONF" | grep status
kill $sftdyn
`;
    if (await findProgram("unshare") === undefined || Deno.uid() !== 0) return;
    const { stdout } = await run(
      ["unshare", "--net", "sh", "-c", script, "sh", ...PROGRAM],
      { env: { CONF: `${folder}/sftdyn.toml` } },
    );
    const answers = stdout.split("\n").filter((line) => / \d{3}$/.test(line));
    assertEquals(
      answers,
      ["192.0.2.1 200", "198.51.100.1 403", "[2001:db8::1] 200", "[2001:db9::1] 403"],
      stdout,
    );
    assertMatch(stdout, /^ok: .*: http 8080, status 9053; 0 clients$/m);
    assertMatch(stdout, /^ok: status 9053: in use by a running sftdyn$/m);
  });
});

Deno.test("of 10,001 hosts each is in /hosts.json, and in /metrics if that is asked for", async () => {
  const clients = Array.from(
    { length: 10_000 },
    (_, i) => `"${i}-${SECRET}" = "h${i}.dyn.example"\n`,
  ).join("");
  await withWatched("", async ({ update, ask, reload }) => {
    assertEquals(await update("one"), "200 OK");
    const host = 'sftdyn_host_up_to_date{host="one.dyn.example"}';
    assertEquals(valueOf(await ask("/metrics"), host), 1);
    await reload("", clients + CLIENTS);
    let metrics = await ask("/metrics");
    assertEquals(valueOf(metrics, "sftdyn_host_metrics_left_out"), 1);
    assertEquals(valueOf(metrics, host), undefined);
    await reload("metrics_hosts = 20000", clients + CLIENTS);
    metrics = await ask("/metrics");
    assertEquals(valueOf(metrics, "sftdyn_host_metrics_left_out"), 0);
    assertEquals(valueOf(metrics, host), 1);
    const { hosts } = JSON.parse((await ask("/hosts.json")).slice("200 ".length));
    assertEquals([hosts.length, hosts.at(-1).host], [10_004, "one.dyn.example"]);
  });
});
