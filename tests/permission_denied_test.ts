import { assertEquals } from "@std/assert";
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
