/**
 * The executable as sftdyn.service runs it: as BIND's user, with a read-only
 * root and no capabilities, as far as bubblewrap and setpriv can give it.
 */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { ROOT } from "../../tools/deno.ts";
import { findProgram } from "../../tools/setup.ts";
import { run, withFolder } from "./sftdyn.ts";

const executable = Deno.env.get("SFTDYN_TEST_PROGRAM");
const user = "bind";
const canConfine = executable !== undefined && Deno.uid() === 0 &&
  (await run(["id", user])).code === 0 &&
  (await run(["unshare", "--net", "--mount", "mount", "-t", "tmpfs", "tmpfs", "/run"])).code === 0;
if (!canConfine) {
  console.log(
    "NOT TESTED: the executable confined (needs it, root, unshare and Debian's user bind)",
  );
}

/** $1 is the folder, $2 is where sftdyn is started. */
const SCRIPT = `
set -u
folder=$1
mkdir -m 700 "$folder/closed"
cd "$2" || exit 1
ip link set lo up
mount -t tmpfs tmpfs /run
mkdir /run/named
chown ${user}: /run/named "$folder"/*.zone "$folder"
"$folder/named" -u ${user} -g -c "$folder/named.conf" 2>"$folder/named.log" & named=$!
until grep -q ' running$' "$folder/named.log"; do kill -0 $named || exit 1; sleep 0.05; done
confined() {
  exec bwrap --ro-bind / / --dev /dev --proc /proc --unshare-ipc --unshare-uts --die-with-parent \
    setpriv --reuid=${user} --regid=${user} --clear-groups --no-new-privs \
      --inh-caps=-all --bounding-set=-all -- "$@"
}
(confined sh -c 'id -un; grep CapEff /proc/self/status; touch /run/x /tmp/x') 2>&1
(confined sh -c 'readlink /proc/self/cwd; cd "$1" && echo open || echo closed' sh "$2") 2>/dev/null
(confined "$folder/sftdyn" check "$folder/sftdyn.toml")
echo "check $?"
confined "$folder/sftdyn" "$folder/sftdyn.toml" 2>"$folder/log" & sftdyn=$!
until grep -q 'listening on' "$folder/log"; do kill -0 $sftdyn || exit 1; sleep 0.05; done
curl -sS --max-time 20 -w ' %{http_code}\\n' "http://127.0.0.1:8080/0123456789abcdef"
dig +short @127.0.0.1 host.dyn.example A
sed -i 's/0123456789abcdef/fedcba9876543210/' "$folder/sftdyn.toml"
pkill -HUP -x sftdyn
until grep -q 'reloaded' "$folder/log"; do kill -0 $sftdyn || exit 1; sleep 0.05; done
curl -sS --max-time 20 -w ' %{http_code}\\n' "http://127.0.0.1:8080/fedcba9876543210"
pkill -TERM -x sftdyn; wait $sftdyn; echo "exit $?"
kill $named; wait $named
`;

const POLICY = { session: "local", own: "{ grant sftdyn zonesub A AAAA; }" };

for (
  const [way, key, isClosed] of [
    ["with BIND's session key", "session", false],
    ["with a key of its own of mode 640", "own", false],
    ["from a folder that only root may enter", "session", true],
  ] as const
) {
  Deno.test(`the executable updates under the unit's confinement ${way}`, {
    ignore: !canConfine,
  }, async () => {
    await withFolder(async (folder) => {
      await Deno.chmod(folder, 0o755);
      const hasKey = key === "own";
      const policy = POLICY[key];
      const where = isClosed ? `${folder}/closed` : "/";
      await Deno.copyFile((await findProgram("named"))!, `${folder}/named`);
      await Deno.copyFile(executable!, `${folder}/sftdyn`);
      await Deno.writeTextFile(
        `${folder}/named.conf`,
        `options { directory "${folder}"; recursion no; dnssec-validation no; };
${hasKey ? `include "${folder}/sftdyn.key";` : ""}
zone "dyn.example" { type master; file "${folder}/dyn.example.zone"; update-policy ${policy}; };
`,
      );
      await Deno.writeTextFile(
        `${folder}/dyn.example.zone`,
        "$TTL 60\n@ IN SOA ns admin 1 3600 600 86400 60\n@ IN NS ns\nns IN A 127.0.0.1\n",
      );
      if (hasKey) {
        const { stdout } = await run(["tsig-keygen", "-a", "hmac-sha512", "sftdyn"]);
        await Deno.writeTextFile(`${folder}/sftdyn.key`, stdout);
        assertEquals((await run(["chown", `root:${user}`, `${folder}/sftdyn.key`])).code, 0);
        await Deno.chmod(`${folder}/sftdyn.key`, 0o640);
      }
      const settings = hasKey ? 'nskeyfile = "sftdyn.key"\nnameserver = "127.0.0.1"\n' : "";
      const clients = '[clients]\n"0123456789abcdef" = "host.dyn.example"\n';
      await Deno.writeTextFile(`${folder}/sftdyn.toml`, `http = "8080"\n${settings}${clients}`);
      const machine = ["--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"];
      const { stdout, stderr } = await run(
        ["unshare", ...machine, "sh", "-c", SCRIPT, "sh", folder, where],
        { env: { no_proxy: "*" } },
      );
      const said = `${stdout}\n${stderr}\n${await Deno.readTextFile(`${folder}/log`).catch(() =>
        ""
      )}`;
      assertMatch(stdout, new RegExp(`^${user}\nCapEff:\\s+0+\n`), said);
      assertMatch(stdout, /touch: .*Read-only file system/, said);
      assertMatch(stdout, new RegExp(`^${where}\n${isClosed ? "closed" : "open"}$`, "m"), said);
      assertMatch(stdout, /^check 0$/m, said);
      assertMatch(stdout, /^OK 200\n127\.0\.0\.1$/m, said);
      assertMatch(stdout, /^UPTODATE 200\nexit 0$/m, said);
    });
  });
}

Deno.test("sftdyn.service is correct, and its exposure is 1.6 or less", async () => {
  await withFolder(async (folder) => {
    const unit = (await Deno.readTextFile(`${ROOT}/sftdyn.service`))
      .replaceAll("/usr/local/bin/sftdyn", "/bin/true");
    await Deno.writeTextFile(`${folder}/sftdyn.service`, unit);
    const verified = await run([
      "systemd-analyze",
      "verify",
      "--man=no",
      `${folder}/sftdyn.service`,
    ]);
    assertEquals([verified.code, verified.stdout, verified.stderr], [0, "", ""]);
    const { stdout } = await run([
      "systemd-analyze",
      "security",
      "--offline=true",
      "--no-pager",
      `${folder}/sftdyn.service`,
    ]);
    const exposure = Number(
      /Overall exposure level for sftdyn\.service: ([\d.]+)/.exec(stdout)?.[1],
    );
    assert(exposure <= 1.6, `exposure ${exposure}`);
  });
});
