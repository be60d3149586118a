import { assertEquals } from "@std/assert";
import { withFolder } from "./e2e/sftdyn.ts";
import { permissionDenied } from "../lib/permission_denied.ts";

/** A file system: what may not be looked at, and what links to where. */
function files(closed: string[], links: Record<string, string> = {}) {
  return {
    lstat: (path: string) => {
      const isClosed = closed.some((folder) => path.startsWith(`${folder}/`));
      return isClosed ? Promise.reject(new Deno.errors.PermissionDenied()) : Promise.resolve();
    },
    readLink: (path: string) => {
      const link = links[path];
      return link === undefined ? Promise.reject(new Error("no link")) : Promise.resolve(link);
    },
  };
}

Deno.test("permissionDenied() names the user, the file and the command that mends it", async () => {
  const live = { "/le/live/d/key.pem": "../../archive/d/key1.pem" };
  const table: [string, ReturnType<typeof files>, string][] = [
    ["/etc/s.toml", files([]), "read /etc/s.toml: chgrp bind /etc/s.toml && chmod g+r /etc/s.toml"],
    ["s.toml", files([]), "read s.toml: chgrp bind s.toml && chmod g+r s.toml"],
    [
      "/a b/it's",
      files([]),
      "read /a b/it's: chgrp bind '/a b/it'\\''s' && chmod g+r '/a b/it'\\''s'",
    ],
    ["/root/x/k", files(["/root"]), "enter /root: chgrp bind /root && chmod g+x /root"],
    [
      "/le/live/d/key.pem",
      files(["/le/live"], live),
      "enter /le/live: chgrp bind /le/live && chmod g+x /le/live",
    ],
    [
      "/le/live/d/key.pem",
      files(["/le/live/d/../../archive"], live),
      "enter /le/live/d/../../archive: chgrp bind /le/live/d/../../archive && " +
      "chmod g+x /le/live/d/../../archive",
    ],
    ["/loop", files([], { "/loop": "/loop" }), "read /loop: chgrp bind /loop && chmod g+r /loop"],
  ];
  for (const [path, system, expected] of table) {
    assertEquals(
      await permissionDenied(path, { ...system, user: "bind" }),
      `permission denied: user bind may not ${expected}`,
    );
  }
});

Deno.test("permissionDenied() takes a file from no group that may read it", async () => {
  const group = (name: string) => ({ ...files(["/root"]), groupWith: async () => await name });
  assertEquals(
    await permissionDenied("/etc/s.toml", { ...group("bind"), user: "alice" }),
    "permission denied: user alice may not read /etc/s.toml, but group bind may: " +
      "usermod -aG bind alice",
  );
  assertEquals(
    await permissionDenied("/root/k", { ...group("admins"), user: "bind" }),
    "permission denied: user bind may not enter /root, but group admins may: " +
      "usermod -aG admins bind",
  );
  assertEquals(
    await permissionDenied("/etc/s.toml", { ...group("bind"), user: "bind" }),
    "permission denied: user bind may not read /etc/s.toml: " +
      "chgrp bind /etc/s.toml && chmod g+r /etc/s.toml",
  );
});

Deno.test({
  name: "permissionDenied() finds a file's group where it has the right",
  ignore: Deno.uid() !== 0,
  async fn() {
    await withFolder(async (folder) => {
      const file = `${folder}/key`;
      await Deno.writeTextFile(file, "");
      const [, name, gid] = /^(\w+):[^:]*:([1-9]\d*):/m.exec(
        await Deno.readTextFile("/etc/group"),
      )!;
      const said = async (mode: number, group: number) => {
        await Deno.chown(file, 0, group);
        await Deno.chmod(file, mode);
        return (await permissionDenied(file, { user: "alice" })).replace(/^.*?: .*?: /, "");
      };
      const chgrp = `chgrp alice ${file} && chmod g+r ${file}`;
      assertEquals(await said(0o640, Number(gid)), `usermod -aG ${name} alice`);
      assertEquals(await said(0o600, Number(gid)), chgrp);
      assertEquals(await said(0o640, 0), chgrp);
    });
  },
});
