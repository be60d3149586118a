import { assert, assertEquals } from "@std/assert";
import { StayingFault, versionOf, versionsOf } from "../lib/file_watch.ts";

const STAMP = { mtime: new Date(1), ctime: new Date(2), size: 3, ino: 4 };

Deno.test("versionOf() is another after a change of either time, size or inode", () => {
  assertEquals(versionOf({ ...STAMP }), versionOf(STAMP));
  const changes = [{ mtime: new Date(9) }, { ctime: new Date(9) }, { size: 9 }, { ino: 9 }];
  for (const change of changes) {
    assert(versionOf({ ...STAMP, ...change }) !== versionOf(STAMP), JSON.stringify(change));
  }
  // Where a file system has none.
  assertEquals(typeof versionOf({ ...STAMP, ctime: null, ino: null }), "string");
});

Deno.test("versionsOf() tells a file that is gone from every one that is there", async () => {
  const stat = (path: string) =>
    path === "none" ? Promise.reject(new Deno.errors.NotFound()) : Promise.resolve(STAMP);
  const there = versionOf(STAMP);
  assertEquals(await versionsOf(["a", "none"], stat), `${there} none`);
  assertEquals(await versionsOf(["none", "a"], stat), `none ${there}`);
  assertEquals(await versionsOf([], stat), "");
});

Deno.test("StayingFault tells a fault once, and again after a change or when it was gone", () => {
  const told: string[] = [];
  const fault = new StayingFault((message) => told.push(message));
  for (let i = 0; i < 3; i++) fault.add("v1", "a");
  assertEquals(told, ["a"]);
  for (let i = 0; i < 3; i++) fault.add("v2", "a");
  assertEquals(told, ["a", "a"]);
  for (let i = 0; i < 3; i++) fault.add("v2", "b");
  assertEquals(told, ["a", "a", "b"]);
  fault.clear();
  fault.add("v2", "b");
  assertEquals(told, ["a", "a", "b", "b"]);
});

Deno.test("StayingFault waits as many polls as it is told", () => {
  const told: string[] = [];
  const fault = new StayingFault((message) => told.push(message), 2);
  fault.add("v", "a");
  fault.clear();
  fault.add("v", "a");
  assertEquals(told, []);
  fault.add("v", "b");
  assertEquals(told, ["b"]);
});
