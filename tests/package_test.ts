/** The Debian package: what is in it. tests/e2e/package_test.ts installs it. */

import { assert, assertEquals, assertMatch, assertThrows } from "@std/assert";
import { run } from "../tools/program.ts";
import { isTestBuild, makePackage, packageName } from "../tools/package.ts";
import { findProgram } from "../tools/setup.ts";
import { withFolder } from "./e2e/sftdyn.ts";

const TARGETS = { "x86_64-unknown-linux-gnu": "amd64", "aarch64-unknown-linux-gnu": "arm64" };
const canPack = await findProgram("dpkg-deb") !== undefined;
if (!canPack) console.log("NOT TESTED: the Debian package (needs dpkg-deb)");
const options = { ignore: !canPack };

/** A package of something small. */
async function withPackage(
  body: (deb: string, folder: string) => Promise<void>,
  target = "x86_64-unknown-linux-gnu",
): Promise<void> {
  await withFolder(async (folder) => {
    await Deno.writeTextFile(`${folder}/sftdyn`, "#!/bin/sh\n");
    const executable = `${folder}/sftdyn`;
    await body(
      await makePackage({ executable, target, folder, version: "1.2.3", level: 0 }),
      folder,
    );
  });
}

async function said(...command: [string, ...string[]]): Promise<string> {
  const { code, stdout, stderr } = await run(command);
  assertEquals(code, 0, stdout + stderr);
  return stdout;
}

Deno.test(
  "a package has what an administrator looks for, with owners and modes",
  options,
  async () => {
    await withPackage(async (deb) => {
      const lines = (await said("dpkg-deb", "--contents", deb)).trim().split("\n");
      const files = new Map(lines.map((line) => {
        const [mode, owner, , , , name] = line.split(/ +/);
        return [name!, `${mode} ${owner}`];
      }));
      const expected = {
        "./usr/bin/sftdyn": "-rwxr-xr-x root/root",
        "./etc/sftdyn/": "drwxr-xr-x root/root",
        "./etc/sftdyn/sftdyn.toml": "-rw-r----- root/root",
      };
      for (const [name, mode] of Object.entries(expected)) {
        assertEquals(files.get(name), mode, name);
      }
      for (
        const name of [
          "usr/lib/systemd/system/sftdyn.service",
          "usr/share/man/man8/sftdyn.8.gz",
          "usr/share/bash-completion/completions/sftdyn",
          "usr/share/zsh/vendor-completions/_sftdyn",
          "usr/share/fish/vendor_completions.d/sftdyn.fish",
          "etc/fail2ban/filter.d/sftdyn.conf",
          "etc/fail2ban/jail.d/sftdyn.conf",
          "usr/share/doc/sftdyn/copyright",
          "usr/share/doc/sftdyn/changelog.gz",
          "usr/share/doc/sftdyn/NEWS.gz",
          "usr/share/doc/sftdyn/README.md",
        ]
      ) {
        assertEquals(files.get(`./${name}`), "-rw-r--r-- root/root", name);
      }
      for (const [name, mode] of files) {
        if (name.endsWith("/")) assertEquals(mode, "drwxr-xr-x root/root", name);
      }
    });
  },
);

Deno.test("its configuration and fail2ban's files are the administrator's", options, async () => {
  await withPackage(async (deb) => {
    const conffiles = await said("dpkg-deb", "--info", deb, "conffiles");
    assertEquals(conffiles.trim().split("\n").sort(), [
      "/etc/fail2ban/filter.d/sftdyn.conf",
      "/etc/fail2ban/jail.d/sftdyn.conf",
      "/etc/sftdyn/sftdyn.toml",
    ]);
  });
});

Deno.test("what its README names is where that says", options, async () => {
  await withPackage(async (deb, folder) => {
    await said("dpkg-deb", "--extract", deb, `${folder}/root`);
    const place = `${folder}/root/usr/share/doc/sftdyn`;
    const readme = await Deno.readTextFile(`${place}/README.md`);
    const names = [...readme.matchAll(/\]\(([\w./-]+)\)|\b(contrib\/[\w./-]*\w)/g)]
      .map(([, link, path]) => link ?? path!);
    assert(names.length > 5);
    // The one is where man looks for it, the other is for those who have the source.
    const elsewhere = ["contrib/sftdyn.8", "CONTRIBUTING.md"];
    for (const name of new Set(names).difference(new Set(elsewhere))) {
      assert(await Deno.stat(`${place}/${name}`).then(() => true, () => false), name);
    }
  });
});

for (const [target, architecture] of Object.entries(TARGETS)) {
  Deno.test(`a package for ${target} is for ${architecture}`, options, async () => {
    await withPackage(async (deb) => {
      assert(deb.endsWith(`/sftdyn_1.2.3_${architecture}.deb`), deb);
      const control = await said("dpkg-deb", "--field", deb);
      assertMatch(control, /^Package: sftdyn$/m);
      assertMatch(control, /^Version: 1\.2\.3$/m);
      assertMatch(control, new RegExp(`^Architecture: ${architecture}$`, "m"));
      assertMatch(control, /^Depends: .*\bbind9-dnsutils\b/m);
    }, target);
  });
}

Deno.test("packageName() refuses what Debian does not know", () => {
  for (const target of ["x86_64-apple-darwin", "riscv64gc-unknown-linux-gnu"]) {
    assertThrows(() => packageName(target), Error, target);
  }
});

Deno.test("its unit runs the packaged executable, its jail bans nobody yet", options, async () => {
  await withPackage(async (deb, folder) => {
    await said("dpkg-deb", "--extract", deb, `${folder}/root`);
    const read = (name: string) => Deno.readTextFile(`${folder}/root/${name}`);
    const unit = await read("usr/lib/systemd/system/sftdyn.service");
    assertMatch(unit, /^ExecStart=.* \/usr\/bin\/sftdyn \/etc\/sftdyn\/sftdyn\.toml$/m);
    assert(!unit.includes("/usr/local"), unit);
    assertMatch(await read("etc/fail2ban/jail.d/sftdyn.conf"), /^enabled = false$/m);
    assertMatch(await read("usr/bin/sftdyn"), /^#!/);
  });
});

Deno.test("a package made twice is the same file", options, async () => {
  await withPackage(async (first) => {
    // Other times of the files, another folder, and another umask.
    const before = Deno.umask(0o077);
    try {
      await withPackage(async (second) => {
        assertEquals(await Deno.readFile(second), await Deno.readFile(first));
      });
    } finally {
      Deno.umask(before);
    }
  });
});

Deno.test(
  "what is installed and removed is done by scripts that the shell understands",
  options,
  async () => {
    await withPackage(async (deb, folder) => {
      await said("dpkg-deb", "--control", deb, `${folder}/control`);
      for (const name of ["postinst", "prerm", "postrm"]) {
        await said("sh", "-n", `${folder}/control/${name}`);
        assertEquals((await Deno.stat(`${folder}/control/${name}`)).mode! & 0o777, 0o755, name);
      }
    });
  },
);

Deno.test("an executable to test with is known", async () => {
  await withFolder(async (folder) => {
    for (const isTest of [true, false]) {
      await Deno.writeTextFile(`${folder}/sftdyn`, `\x7fELF${JSON.stringify({ isTest })}`);
      assertEquals(await isTestBuild(`${folder}/sftdyn`), isTest);
    }
  });
});
