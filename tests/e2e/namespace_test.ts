/**
 * What needs a machine of its own: BIND on port 53 with its own session key,
 * and hosts whose IPv6 is special. Root makes such a machine with unshare(1).
 */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { findProgram } from "../../tools/setup.ts";
import { PROGRAM, run, withFolder } from "./sftdyn.ts";

const canUnshare = Deno.uid() === 0 &&
  (await run(["unshare", "--net", "--mount", "mount", "-t", "tmpfs", "tmpfs", "/run"])).code === 0;

/** A BIND that is configured as the README says: `update-policy local`, and nothing else. */
const NAMED_CONF = `options {
  directory "FOLDER";
  LISTEN
  recursion no;
  dnssec-validation no;
};
zone "dyn.example" { type master; file "FOLDER/dyn.example.zone"; update-policy local; };
`;
const ZONE = `$TTL 60
@ IN SOA ns admin 1 3600 600 86400 60
@ IN NS ns
ns IN A 127.0.0.1
`;
const CONFIG = `http = "8080"
[clients]
"0123456789abcdef" = "host.dyn.example"
`;

/** $1 is the folder, $2 what is special about this machine, the rest is sftdyn. */
const SCRIPT = `
set -u
folder=$1; special=$2; shift 2
ip link set lo up
mount -t tmpfs tmpfs /run
mkdir /run/named
eval "$special"
"$folder/named" -g -c "$folder/named.conf" 2>"$folder/named.log" & named=$!
until grep -q ' running$' "$folder/named.log"; do kill -0 $named || exit 1; sleep 0.05; done
"$@" "$folder/sftdyn.toml" 2>"$folder/log" & sftdyn=$!
until grep -q 'listening on' "$folder/log"; do kill -0 $sftdyn || exit 1; sleep 0.05; done
for host in 127.0.0.1 '[::1]'; do
  curl -sS --max-time 20 -w ' %{http_code} ' "http://$host:8080/0123456789abcdef" || echo "no $host "
done
echo
"$@" check "$folder/sftdyn.toml"
echo "check $?"
kill $sftdyn; wait $sftdyn; echo "exit $?"
kill $named; wait $named
`;

async function onMachine(special: string, listen = "", settings = ""): Promise<string> {
  let stdout = "";
  await withFolder(async (folder) => {
    await Deno.copyFile((await findProgram("named"))!, `${folder}/named`);
    const conf = NAMED_CONF.replaceAll("FOLDER", folder).replace("LISTEN", listen);
    await Deno.writeTextFile(`${folder}/named.conf`, conf);
    await Deno.writeTextFile(`${folder}/dyn.example.zone`, ZONE);
    await Deno.writeTextFile(`${folder}/sftdyn.toml`, settings + CONFIG);
    const machine = ["--net", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c", SCRIPT];
    const ran = await run(["unshare", ...machine, "sh", folder, special, ...PROGRAM], {
      env: { no_proxy: "*" },
    });
    const log = await Deno.readTextFile(`${folder}/log`).catch(() => "");
    const named = await Deno.readTextFile(`${folder}/named.log`).catch(() => "");
    assertMatch(ran.stdout, /exit 0\n/, `${ran.stdout}${ran.stderr}\n${log}\n${named}`);
    assert(!/^ +at /m.test(log), log);
    stdout = ran.stdout;
  });
  return stdout;
}

const options = { ignore: !canUnshare };
if (!canUnshare) {
  console.log("NOT TESTED: nsupdate -l and hosts without IPv6 (needs root and unshare)");
}

Deno.test("without nameserver and nskeyfile, BIND's own session key is used", options, async () => {
  const said = await onMachine(":");
  assertEquals(said.split("\n")[0], "OK 200 OK 200 ");
  assertMatch(said, /^ok: host\.dyn\.example: zone dyn\.example, A and AAAA can be set$/m);
  assertMatch(said, /^check 0$/m);
});

for (const nameserver of ["127.0.0.1:53", "[::1]", "localhost"]) {
  Deno.test(`with nameserver = "${nameserver}" and no nskeyfile, it is, too`, options, async () => {
    const said = await onMachine(":", "", `nameserver = "${nameserver}"\n`);
    assertEquals(said.split("\n")[0], "OK 200 OK 200 ");
    assertMatch(said, /^check 0$/m);
  });
}

Deno.test("a port alone takes both families where [::] takes IPv6 only", options, async () => {
  const said = await onMachine("echo 1 > /proc/sys/net/ipv6/bindv6only");
  assertEquals(said.split("\n")[0], "OK 200 OK 200 ");
});

Deno.test("a port alone takes IPv4 where IPv6 is switched off", options, async () => {
  const said = await onMachine("echo 1 > /proc/sys/net/ipv6/conf/all/disable_ipv6");
  assertEquals(said.split("\n")[0], "OK 200  000 no [::1] ");
});

for (
  const [family, listen] of [
    ["IPv4", "listen-on-v6 { none; };"],
    ["IPv6", "listen-on { none; }; listen-on-v6 { any; };"],
  ]
) {
  Deno.test(`a BIND that listens on ${family} alone is found`, options, async () => {
    const said = await onMachine(":", listen);
    assertEquals(said.split("\n")[0], "OK 200 OK 200 ");
    assertMatch(said, /^check 0$/m);
  });
}
