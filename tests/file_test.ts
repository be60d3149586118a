import { assertEquals, assertMatch, assertRejects } from "@std/assert";
import { FileError, readAtMost, readText, relativeTo } from "../lib/file.ts";

const bytes = (...octets: number[]) => () => Promise.resolve(new Uint8Array(octets));
const encode = (text: string) => () => Promise.resolve(new TextEncoder().encode(text));
const refuse = (error: unknown) => () => Promise.reject(error);

Deno.test("readText() reads UTF-8 text, a byte order mark or not", async () => {
  assertEquals(await readText("f", encode("a\té\r\n€😀\n")), "a\té\r\n€😀\n");
  assertEquals(await readText("f", bytes(0xef, 0xbb, 0xbf, 0x61)), "a");
  assertEquals(await readText("f", bytes()), "");
});

Deno.test("readText() refuses what is no text and says where", async () => {
  await assertRejects(() => readText("f", bytes(0x61, 0xff)), FileError, "not UTF-8");
  await assertRejects(() => readText("f", bytes(0xc3)), FileError, "line 1 is not UTF-8");
  const third = bytes(0x0a, 0xc3, 0xa4, 0x0a, 0x61, 0xc3, 0x0a, 0xff);
  await assertRejects(() => readText("f", third), FileError, "line 3 is not UTF-8");
  await assertRejects(() => readText("f", encode("\0")), FileError, "byte 0x00 in line 1");
  await assertRejects(() => readText("f", encode("a\nb\n\x1b[0m\0")), FileError, "0x1b in line 3");
  await assertRejects(() => readText("f", encode("a\n\x7f")), FileError, "byte 0x7f in line 2");
});

Deno.test("readText() says in plain words why a file cannot be read", async () => {
  const table: [unknown, string][] = [
    [new Deno.errors.NotFound("os error 2: '/secret/path'"), "no such file"],
    [new Deno.errors.IsADirectory("os error 21"), "it is a directory"],
    [new Error("disk on fire"), "disk on fire"],
    ["odd", "odd"],
  ];
  for (const [error, message] of table) {
    const thrown = await assertRejects(() => readText("f", refuse(error)), FileError);
    assertEquals([thrown.name, thrown.message], ["FileError", message]);
  }
});

Deno.test("readText() says how a file that it may not read is mended", async () => {
  const denied = refuse(new Deno.errors.PermissionDenied("os error 13"));
  const error = await assertRejects(() => readText("/none", denied), FileError);
  assertMatch(error.message, /^permission denied: .* may not read \/none: chgrp \w+ \/none && /);
});

Deno.test("readText() reads real files", async () => {
  const folder = await Deno.makeTempDir();
  try {
    await Deno.writeTextFile(`${folder}/f`, "text\n");
    assertEquals(await readText(`${folder}/f`), "text\n");
    await assertRejects(() => readText(`${folder}/none`), FileError, "no such file");
    await assertRejects(() => readText(folder), FileError, "it is a directory");
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("readAtMost() reads files up to a size", async () => {
  const file = await Deno.makeTempFile();
  try {
    await Deno.writeTextFile(file, "12345");
    for (const most of [5, 6]) assertEquals((await readAtMost(most)(file)).length, 5);
    await assertRejects(
      () => readText(file, readAtMost(4)),
      FileError,
      "it is too large: expected at most 4 bytes",
    );
  } finally {
    await Deno.remove(file);
  }
});

Deno.test("relativeTo() looks from the folder of the other file", () => {
  const table: [string, string, string][] = [
    ["/etc/sftdyn/sftdyn.toml", "cert.pem", "/etc/sftdyn/cert.pem"],
    ["/etc/sftdyn/sftdyn.toml", "/tls/cert.pem", "/tls/cert.pem"],
    ["/etc/sftdyn/sftdyn.toml", "../tls/cert.pem", "/etc/sftdyn/../tls/cert.pem"],
    ["/sftdyn.toml", "cert.pem", "/cert.pem"],
    ["./sftdyn.toml", "cert.pem", "./cert.pem"],
    ["conf/sftdyn.toml", "tls/cert.pem", "conf/tls/cert.pem"],
    ["sftdyn.toml", "cert.pem", "cert.pem"],
    ["sftdyn.toml", "/cert.pem", "/cert.pem"],
  ];
  for (const [file, path, expected] of table) assertEquals(relativeTo(file, path), expected);
});
