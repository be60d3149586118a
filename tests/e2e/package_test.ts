/**
 * The Debian package in a clean Debian 12 and 13: the README followed word for word
 * to the first update, an upgrade under load, removed and purged. Each is a file tree
 * that debootstrap makes once, with a real systemd as the first process of a
 * namespace. It takes minutes: with SFTDYN_PACKAGE=full, the executable, and as root.
 */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { makePackage } from "../../tools/package.ts";
import { ensurePrograms } from "../../tools/setup.ts";
import { block, README } from "./readme.ts";
import { run, until, withFolder } from "./sftdyn.ts";

const executable = Deno.env.get("SFTDYN_TEST_PROGRAM");
const isAsked = Deno.env.get("SFTDYN_PACKAGE") === "full";
const canInstall = isAsked && executable !== undefined && Deno.uid() === 0;
if (!canInstall) {
  console.log(
    "NOT TESTED: the package in Debian 12 and 13 (needs SFTDYN_PACKAGE=full, the executable, root)",
  );
} else await ensurePrograms(["debootstrap", "unshare", "lintian"]);

const CACHE = `${
  Deno.env.get("XDG_CACHE_HOME") ?? `${Deno.env.get("HOME")}/.cache`
}/sftdyn-test-debian`;
const MIRROR = "http://deb.debian.org/debian";
/** What the machine has besides Debian's minimum: BIND and all else come with sftdyn. */
const PACKAGES = ["systemd-sysv", "dbus", "curl", "iproute2"];
const NAMESPACES = ["--mount", "--pid", "--net", "--uts", "--ipc", "--cgroup"];
const CONF = "/etc/sftdyn/sftdyn.toml";
/** What the package says when it is installed. */
const NEXT = `sftdyn is installed, not started: sftdyn key HOST >> ${CONF} && ` +
  "runuser -u bind -- sftdyn check && systemctl enable --now sftdyn";

/** $1 is a folder for what is written, $2 the file tree. */
const BOOT = `
set -e
mount -t tmpfs tmpfs "$1"
mkdir "$1/root"
tar -C "$1/root" -xf "$2"
cp "$3"/*.deb "$1/root/root/"
cp -L /etc/resolv.conf "$1/root/etc/"
mount --bind "$1/root" "$1/root"
cd "$1/root"
mount -t proc proc proc
mount -t sysfs sysfs sys
mount -t cgroup2 cgroup2 sys/fs/cgroup
mount --rbind /dev dev
mount -t tmpfs tmpfs run
ip link set lo up
# Nothing else is to start.
printf '[Unit]\\nDescription=nothing\\n' >etc/systemd/system/nothing.target
exec env -i PATH="$PATH" container=sftdyn chroot . /lib/systemd/systemd --unit=nothing.target
`;

/** The packed file tree of a release, made if it is not there. */
async function fileTree(release: string): Promise<string> {
  const file = `${CACHE}/${[release, ...PACKAGES].join("-")}.tar`;
  if (await Deno.stat(file).then(() => true, () => false)) return file;
  await Deno.mkdir(CACHE, { recursive: true });
  const folder = await Deno.makeTempDir({ dir: CACHE });
  try {
    const made = `debootstrap --variant=minbase --include=${
      PACKAGES.join(",")
    } "$1" "$2/root" ${MIRROR} &&
      tar -C "$2/root" --numeric-owner -cf "$2/tar" . && mv "$2/tar" "$3"`;
    const { code, stdout, stderr } = await run(["sh", "-c", made, "sh", release, folder, file], {
      timeout: 900,
    });
    assertEquals(code, 0, stdout + stderr);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
  return file;
}

class Machine {
  #pid = "";
  readonly #unshare: Deno.ChildProcess;

  constructor(folder: string, tree: string, packages: string) {
    this.#unshare = new Deno.Command("unshare", {
      args: [
        ...NAMESPACES,
        "--fork",
        "--kill-child",
        ...["sh", "-c", BOOT, "sh", folder, tree, packages],
      ],
      stdin: "null",
      stdout: "null",
      stderr: "null",
    }).spawn();
  }

  async boot(): Promise<void> {
    await until("systemd runs", async () => {
      this.#pid = (await run(["pgrep", "-P", `${this.#unshare.pid}`])).stdout.trim();
      return this.#pid !== "" && (await this.run("systemctl is-system-running")).code === 0;
    });
  }

  /** It has a network of its own, without a way out, but for what must be downloaded. */
  async run(script: string, isOnline = false): Promise<{ code: number; said: string }> {
    const namespaces = NAMESPACES.filter((name) => !isOnline || name !== "--net");
    const enter = ["nsenter", "-t", this.#pid, ...namespaces, `--root=/proc/${this.#pid}/root`];
    const { code, stdout, stderr } = await run(
      [...enter as [string], `--wd=/proc/${this.#pid}/root/root`, "sh", "-c", `${script}`],
      { env: { no_proxy: "*", DEBIAN_FRONTEND: "noninteractive" }, timeout: 120 },
    );
    return { code, said: (stdout + stderr).trim() };
  }

  async done(script: string, isOnline = false): Promise<string> {
    const { code, said } = await this.run(`set -e; ${script}`, isOnline);
    if (code !== 0) {
      const { said: journal } = await this.run("journalctl --no-pager -o cat -u sftdyn -u named");
      assertEquals(code, 0, `${script}:\n${said}\n${journal}`);
    }
    return said;
  }

  async shutDown(): Promise<void> {
    this.#unshare.kill("SIGKILL");
    await this.#unshare.status;
  }
}

Deno.test("lintian finds no error in the package", { ignore: !canInstall }, async () => {
  await withFolder(async (folder) => {
    const target = Deno.build.target;
    const deb = await makePackage({ executable: executable!, target, folder, level: 0 });
    const { code, stdout, stderr } = await run(["lintian", "--fail-on", "error", deb]);
    assertEquals(code, 0, stdout + stderr);
  });
});

for (const release of ["bookworm", "trixie"]) {
  Deno.test(`the package in ${release}: first update, upgrade, removal, purge`, {
    ignore: !canInstall,
  }, async () => {
    const tree = await fileTree(release);
    await withFolder(async (folder) => {
      await Deno.mkdir(`${folder}/packages`);
      await Deno.mkdir(`${folder}/machine`);
      for (const version of ["1.0.0", "1.0.1"]) {
        const target = Deno.build.target;
        const options = { executable: executable!, target, folder: `${folder}/packages` };
        await makePackage({ ...options, version, level: 0 });
      }
      const machine = new Machine(`${folder}/machine`, tree, `${folder}/packages`);
      try {
        await machine.boot();
        await story(machine, release);
      } finally {
        await machine.shutDown();
      }
    });
  });
}

/** Requests a second, while the package is upgraded. */
const RATE = 50;
const isWell = (answer: string) => answer === "0 200";

/** The seconds that something took. */
async function seconds(body: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await body();
  return (performance.now() - start) / 1000;
}

/** What the README says inside of a line. */
function words(pattern: RegExp): string {
  const found = pattern.exec(README);
  assert(found !== null, `the README does not say ${pattern}`);
  return found[1]!.replaceAll("\n", " ");
}

/** What somebody does who has the package, and does what the README says; the first update. */
async function firstHour(machine: Machine): Promise<string> {
  const said = await machine.done(block("apt install ./"));
  const lines = said.split(/\r?\n/).filter((line) => line.startsWith("sftdyn is installed"));
  assertEquals(lines, [NEXT]);
  assertEquals((await machine.run("systemctl is-active sftdyn")).said, "inactive");
  assertEquals((await machine.run("systemctl is-enabled sftdyn")).said, "disabled");
  assertEquals(await machine.done(`stat -c '%U:%G %a' ${CONF}`), "root:bind 640");

  await machine.done(
    `cat >>/etc/bind/named.conf.local <<'END'\n${block('zone "dyn.example" {')}END`,
  );
  await machine.done(`cat >/var/lib/bind/dyn.example.zone <<'END'\n${block("IN SOA")}END`);
  await machine.done(words(/`(chown bind: \/var[^`]*)`/));
  await machine.done(words(/`(rndc reconfig)`/));
  await machine.done(block("sftdyn key home.dyn.example >>"));
  assertMatch(
    await machine.done(block("sftdyn.toml\nsystemctl enable --now sftdyn")),
    /^no errors$/m,
  );

  await machine.done("echo 127.0.0.1 dyn.example >>/etc/hosts");
  const update = await machine.done(`sed -n 's/.*: \\(curl .*\\)SERVER/\\1dyn.example/p' ${CONF}`);
  await until("the first update", async () => (await machine.run(update)).said === "OK");
  assertEquals(await machine.done("dig +short @127.0.0.1 home.dyn.example"), "127.0.0.1");
  return update;
}

async function story(machine: Machine, release: string): Promise<void> {
  const download = await seconds(() =>
    machine.done("apt-get update; apt-get install -y --download-only ./sftdyn_1.0.0_*.deb", true)
  );
  // Nobody is there to answer apt.
  await machine.done(`echo 'APT::Get::Assume-Yes "true";' >/etc/apt/apt.conf.d/yes
    mkdir next; mv sftdyn_1.0.1_*.deb next`);
  let update = "";
  const rest = await seconds(async () => update = await firstHour(machine));
  console.log(
    `${release}: first update ${rest.toFixed(1)} s after \`apt install\`, ` +
      `and ${download.toFixed(1)} s for apt's downloads before`,
  );
  assert(download + rest < 60);
  const dig = "dig +short @127.0.0.1 home.dyn.example";

  // A new host is known after a reload, and what systemd looks for is there.
  await machine.done(
    words(/`(sftdyn key other[^`]*)`/) + "; " + words(/`(systemctl reload\s+sftdyn)`/),
  );
  const unit = await machine.done("systemctl show -P FragmentPath sftdyn");
  assertEquals(unit.replace(/^\/usr/, ""), "/lib/systemd/system/sftdyn.service");
  assertEquals(
    (await machine.run(`systemd-analyze verify ${unit}`)).said.replace(/^.*'man .*$/m, ""),
    "",
  );

  // An upgrade under load: the service is a new one; what the administrator wrote stays.
  await machine.done("echo '# mine' >>" + CONF);
  const before = await machine.done("systemctl show -P MainPID sftdyn");
  const other = await machine.done(`sed -n 's/^"\\(.*\\)" = "other.dyn.example"$/\\1/p' ${CONF}`);
  await machine.done(
    `curl -s --rate ${RATE}/s --max-time 20 -o /dev/null -w '%{stderr}%{exitcode} %{http_code}\\n' \
    'http://127.0.0.1:8080/${other}#[1-9999]' >load 2>&1 & echo $! >load.pid`,
  );
  const answers = async () => (await machine.done("cat load")).split("\n");
  const isUnderLoad = async () => (await answers()).slice(-RATE).filter(isWell).length === RATE;
  await until("there is load", isUnderLoad);
  const upgraded = await machine.done("mv next/*.deb .; dpkg -i sftdyn_1.0.1_*.deb");
  assert(!upgraded.includes("sftdyn is installed"), upgraded);
  await until("it answers all", isUnderLoad);
  await machine.done("kill $(cat load.pid)");
  const others = (await answers()).filter((answer) => !isWell(answer));
  // curl could not connect, or to a port that was closed before sftdyn had accepted it.
  assertEquals(others.filter((answer) => !/^(7|52|56) 000$/.test(answer)), []);
  const closed = others.length / RATE * 1000;
  console.log(`${release}: the upgrade refused connections for ${closed.toFixed(0)} ms`);
  assert(closed < 3000);
  assert(await machine.done("systemctl show -P MainPID sftdyn") !== before);
  assertEquals(await machine.done("dpkg-query -W -f '${Version}' sftdyn"), "1.0.1");
  assertEquals(
    await machine.done(`tail -n 1 ${CONF}; stat -c '%U:%G %a' ${CONF}`),
    "# mine\nroot:bind 640",
  );
  await until("the record is right", async () => {
    await machine.run(update);
    return (await machine.run(dig)).said === "127.0.0.1";
  });

  // One that was stopped stays so.
  await machine.done("systemctl stop sftdyn; dpkg -i sftdyn_1.0.1_*.deb");
  assertEquals((await machine.run("systemctl is-active sftdyn")).said, "inactive");
  await machine.done("systemctl start sftdyn");

  // Removed: nothing runs, the configuration stays; installed again, it does not start by itself.
  await machine.done("dpkg -r sftdyn");
  assertEquals((await machine.run(update)).code, 7);
  assertEquals(await machine.done(`tail -n 1 ${CONF}`), "# mine");
  await machine.done("test ! -L /etc/systemd/system/multi-user.target.wants/sftdyn.service");
  assertMatch(
    await machine.done("dpkg -i sftdyn_1.0.1_*.deb"),
    /^sftdyn is installed, not started/m,
  );
  assertEquals((await machine.run("systemctl is-active sftdyn")).said, "inactive");
  await machine.done("systemctl enable --now sftdyn");
  await until("it answers", async () => (await machine.run(update)).said === "UPTODATE");

  // Purged: nothing of it is left.
  await machine.done("dpkg -P sftdyn");
  assertEquals((await machine.run(update)).code, 7);
  await machine.done("test ! -e /etc/sftdyn; test ! -e /usr/bin/sftdyn; getent passwd bind");
  assertEquals(
    await machine.done(
      "find / -xdev -name '*sftdyn*' ! -path '/root/*' ! -path '/var/log/*' ! -path '/proc/*' ! -path '/sys/*'",
    ),
    "",
  );
}
