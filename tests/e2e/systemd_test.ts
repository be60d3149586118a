/**
 * The README's way from a released file to the first update, word for word, on
 * a machine of its own: a real systemd with its journal is the first process of
 * a namespace, in front of a copy of this machine's files that is gone afterwards.
 * What this machine's administrator may have changed there is taken away first.
 */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { ROOT } from "../../tools/deno.ts";
import { run, until, withFolder } from "./sftdyn.ts";

const executable = Deno.env.get("SFTDYN_TEST_PROGRAM");
const README = await Deno.readTextFile(`${ROOT}/README.md`);

/** $1 is a folder for what is written. */
const BOOT = `
set -e
mount -t tmpfs tmpfs "$1"
mkdir "$1/upper" "$1/work" "$1/root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$1/upper,workdir=$1/work" "$1/root"
cd "$1/root"
mount -t proc proc proc
mount -t sysfs sysfs sys
mount -t cgroup2 cgroup2 sys/fs/cgroup
mount --rbind /dev dev
mount -t tmpfs tmpfs run
mount -t tmpfs tmpfs root
mkdir -p root/release/dist
ip link set lo up
# Nothing of this machine's is to start, or to change what starts.
rm -rf etc/systemd usr/local/lib/systemd usr/local/bin/sftdyn etc/sftdyn
rm -rf etc/bind etc/default/named var/lib/bind var/cache/bind
mkdir -p etc/systemd/system
printf '[Unit]\\nDescription=nothing\\n' >etc/systemd/system/nothing.target
exec env -i PATH="$PATH" container=sftdyn chroot . /lib/systemd/systemd --unit=nothing.target
`;

/** What Debian's package bind9 has in /etc/bind and beside it, but for comments and the zones of loopback. */
const BIND: Record<string, string> = {
  "etc/bind/named.conf": `include "/etc/bind/named.conf.options";
include "/etc/bind/named.conf.local";
include "/etc/bind/named.conf.default-zones";
`,
  "etc/bind/named.conf.options":
    `options { directory "/var/cache/bind"; dnssec-validation auto; listen-on-v6 { any; }; };\n`,
  "etc/bind/named.conf.local": "",
  "etc/bind/named.conf.default-zones":
    `zone "." { type hint; file "/usr/share/dns/root.hints"; };\n`,
  "etc/default/named": 'RESOLVCONF=no\nOPTIONS="-u bind"\n',
};

const NAMESPACES = ["--mount", "--pid", "--net", "--uts", "--ipc", "--cgroup"];

/** A machine on which systemd runs. */
class Machine {
  readonly #unshare: Deno.ChildProcess;
  #pid = "";

  private constructor(folder: string) {
    this.#unshare = new Deno.Command("unshare", {
      args: [...NAMESPACES, "--fork", "--kill-child", "sh", "-c", BOOT, "sh", folder],
      stdin: "null",
      stdout: "null",
      stderr: "null",
    }).spawn();
  }

  /** undefined if this one cannot have such machines inside. */
  static async boot(folder: string): Promise<Machine | undefined> {
    const machine = new Machine(folder);
    let hasEnded = false;
    machine.#unshare.status.then(() => hasEnded = true);
    let isUp = false;
    await until("systemd runs", async () => {
      const { stdout } = await run(["pgrep", "-P", `${machine.#unshare.pid}`]);
      machine.#pid = stdout.trim();
      isUp = machine.#pid !== "" && (await machine.run("systemctl is-system-running")).code === 0;
      return isUp || hasEnded;
    });
    return isUp ? machine : undefined;
  }

  /** Runs a script in the folder where a release was put. */
  async run(script: string): Promise<{ code: number; said: string }> {
    const enter = ["nsenter", "-t", this.#pid, ...NAMESPACES, `--root=/proc/${this.#pid}/root`];
    const { code, stdout, stderr } = await run(
      [...enter as [string], `--wd=/proc/${this.#pid}/root/root/release`, "sh", "-c", script],
      { env: { no_proxy: "*" } },
    );
    return { code, said: stdout + stderr };
  }

  /** Runs a script that must succeed; what it said. */
  async done(script: string): Promise<string> {
    const { code, said } = await this.run(`set -e; ${script}`);
    assertEquals(code, 0, `${script}:\n${said}\n${await this.journal()}`);
    return said.trim();
  }

  async journal(): Promise<string> {
    return (await this.run("journalctl --no-pager -o cat -u sftdyn")).said;
  }

  async write(file: string, text: string): Promise<void> {
    await Deno.writeTextFile(`/proc/${this.#pid}/root/${file}`, text);
  }

  async copy(from: string, to: string): Promise<void> {
    await Deno.copyFile(from, `/proc/${this.#pid}/root/root/release/${to}`);
  }

  /** BIND, as Debian's package leaves it. */
  async installBind(): Promise<void> {
    await this.done(`install -d -m 2755 -g bind /etc/bind
      install -d -m 775 -g bind /var/lib/bind /var/cache/bind`);
    for (const [file, text] of Object.entries(BIND)) await this.write(file, text);
    await this.done(`chmod 644 /etc/bind/named.conf* /etc/default/named
      rndc-confgen -a; chown bind: /etc/bind/rndc.key; chmod 640 /etc/bind/rndc.key`);
  }

  async shutDown(): Promise<void> {
    this.#unshare.kill("SIGKILL");
    await this.#unshare.status;
  }
}

/** The README's block in which this stands. */
function block(text: string): string {
  const found = README.split(/^```\w*\n/m).find((part) => part.includes(text));
  assert(found !== undefined, `the README has no ${text}`);
  return found.split(/^```/m)[0]!;
}

/** The key that a host has in the configuration. */
async function keyOf(machine: Machine, host: string): Promise<string> {
  const line = (await machine.done("cat /etc/sftdyn/sftdyn.toml")).split("\n")
    .find((line) => line.endsWith(`" = "${host}"`))!;
  return JSON.parse(line.split(" = ")[0]!);
}

async function withMachine(body: (machine: Machine) => Promise<void>): Promise<boolean> {
  let machine: Machine | undefined;
  await withFolder(async (folder) => {
    machine = await Machine.boot(folder);
    if (machine === undefined) return;
    try {
      await body(machine);
    } finally {
      await machine.shutDown();
    }
  });
  return machine !== undefined;
}

const canBoot = executable !== undefined && Deno.uid() === 0 && await withMachine(async () => {});
if (!canBoot) {
  console.log(
    "NOT TESTED: the unit under systemd (needs the executable, root, unshare, overlayfs)",
  );
}

Deno.test("the README leads from a release to the first update under systemd", {
  ignore: !canBoot,
}, async () => {
  await withMachine(async (machine) => {
    await machine.installBind();
    await machine.write("etc/bind/named.conf.local", block('zone "dyn.example"'));
    await machine.write("var/lib/bind/dyn.example.zone", block("IN SOA"));
    await machine.write("etc/resolv.conf", "");
    await machine.done("systemctl start named");
    await machine.done(/`(chown bind: \/var[^`]*)`/.exec(README)![1]!);
    await machine.done(/`(rndc reconfig)`/.exec(README)![1]!);

    // What a release holds, in a folder where nothing else is.
    await machine.copy(executable!, "dist/sftdyn");
    for (const name of ["sftdyn.service", "sftdyn.toml.example"]) {
      await machine.copy(`${ROOT}/${name}`, name);
    }
    await machine.done(block("install -m 755"));
    assertEquals(await machine.done("stat -c '%U:%G %a' /etc/sftdyn/sftdyn.toml"), "root:bind 640");
    assertEquals((await machine.run("systemctl is-active sftdyn")).said, "inactive\n");
    await machine.done(block("sftdyn key home.dyn.example >>"));
    await machine.done(block("systemctl enable --now sftdyn"));
    await until(
      "it answers",
      async () => (await machine.run("curl -s http://127.0.0.1:8080/")).said === "127.0.0.1",
    );
    const key = await keyOf(machine, "home.dyn.example");
    const update = `curl -sS --max-time 20 http://127.0.0.1:8080/${key}`;
    assertEquals(await machine.done(update), "OK");
    assertEquals(await machine.done("dig +short @127.0.0.1 home.dyn.example"), "127.0.0.1");

    // A new host; who installs once more keeps what is there.
    const [, append] = /`(sftdyn key other[^`]*)` and `systemctl reload\nsftdyn`/.exec(README)!;
    await machine.done(`${append}; systemctl reload sftdyn`);
    const other = await keyOf(machine, "other.dyn.example");
    const updateOther = `curl -sS --max-time 20 http://127.0.0.1:8080/${other}`;
    await until("the key is known", async () => (await machine.run(updateOther)).said !== "BADKEY");
    assertEquals(await machine.done(updateOther), "UPTODATE");
    await machine.done(block("install -m 755").replace("install -m 755", "#"));
    assertEquals(await keyOf(machine, "home.dyn.example"), key);
    assertMatch(await machine.journal(), /^home\.dyn\.example A \? -> 127\.0\.0\.1/m);

    // A fault in the configuration: the reload says so, a start does too, and it is not tried again.
    const failed = await machine.run(`cd /etc/sftdyn; cp sftdyn.toml good; echo oops >>sftdyn.toml
      systemctl reload sftdyn`);
    assertEquals(failed.code, 1, failed.said);
    assertEquals(await machine.done(update), "UPTODATE");
    await machine.run("systemctl restart sftdyn");
    await until(
      "it failed",
      async () => (await machine.run("systemctl is-failed sftdyn")).code === 0,
    );
    assertEquals(await machine.done("systemctl show -P NRestarts,ExecMainStatus sftdyn"), "0\n2");
    await machine.done("cd /etc/sftdyn; cat good >sftdyn.toml; systemctl start sftdyn");
    await until("it is back", async () => (await machine.run(update)).said === "UPTODATE");

    // The journal is restarted, with all that it kept open.
    await machine.done("systemctl restart systemd-journald");
    assertEquals(await machine.done("curl -s http://127.0.0.1:8080/wrong"), "BADKEY");
    assertEquals(await machine.done(update), "UPTODATE");
    await until(
      "the log goes on",
      async () => /^unknown key from 127\.0\.0\.1$/m.test(await machine.journal()),
    );

    // It is killed, and comes back; it is stopped, in good order.
    await machine.done("systemctl kill -s KILL sftdyn");
    await until("it is back", async () => (await machine.run(update)).said === "UPTODATE");
    await machine.done("systemctl stop sftdyn");
    assertEquals(await machine.done("systemctl show -P Result sftdyn"), "success");
    const journal = await machine.journal();
    assert(!/^ +at /m.test(journal), journal);
    assert(!journal.includes(key), "the key is in the journal");
  });
});
