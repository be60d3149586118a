import { assertEquals, assertThrows } from "@std/assert";
import { checkCommands } from "../../lib/hooks/commands.ts";

const ADD = "update add a.dyn.example 60 A 203.0.113.7";

Deno.test("checkCommands() takes updates and what must be so before them", () => {
  const table = [
    ADD,
    'add a.dyn.example 60 TXT "a ; b"',
    "update delete a.dyn.example A",
    "update del a.dyn.example",
    "  UPDATE  DELETE a.dyn.example",
    "del a.dyn.example",
    "delete a.dyn.example",
  ];
  for (const line of table) assertEquals(checkCommands([line]), [line]);
  const conditions = [
    "prereq nxdomain a.dyn.example",
    "prereq yxdomain a.dyn.example",
    "prereq nxrrset a.dyn.example CNAME",
    "yxrrset a.dyn.example A 203.0.113.7",
    "nxdomain a.dyn.example",
  ];
  for (const line of conditions) assertEquals(checkCommands([line, ADD]), [line, ADD]);
  const all = [...conditions, ...table];
  assertEquals(checkCommands(all), all);
});

Deno.test("checkCommands() takes nothing that belongs to the session", () => {
  const lines = [
    "server 127.0.0.1",
    "local 127.0.0.1",
    "zone dyn.example",
    "class IN",
    "ttl 30",
    "key name secret",
    "gsstsig",
    "oldgsstsig",
    "realm X",
    "check-names off",
    "show",
    "answer",
    "debug",
    "send",
    "quit",
    "help",
    "version",
    "lease 30",
    "",
    " ",
    "; comment",
    "update",
    "update add",
    "update  ",
    "prereq",
    "prereq add a.dyn.example",
    "update nxdomain a.dyn.example",
    "update send",
    "updateadd a.dyn.example 30 A 1.2.3.4",
    "addx a.dyn.example 30 A 1.2.3.4",
    "update-add x",
    "nxrrset",
    "prereq xrrset a.dyn.example A",
  ];
  for (const line of lines) {
    assertThrows(() => checkCommands([ADD, line]), RangeError, "command 2 is none");
  }
});

Deno.test("checkCommands() takes one line for a line, of printable characters", () => {
  for (const char of ["\n", "\r", "\0", "\t", "\x1b", "\x7f", "\u0085", "\u2028", "ä"]) {
    for (const line of [`${ADD}${char}send`, `${char}${ADD}`, `${ADD}${char}`]) {
      assertThrows(() => checkCommands([line]), RangeError, "command 1 has a character");
    }
  }
});

Deno.test("checkCommands() takes so many commands, each so long", () => {
  const longest = `update add a.dyn.example 60 TXT ${"x".repeat(968)}`;
  assertEquals(longest.length, 1000);
  checkCommands(Array(32).fill(longest));
  assertThrows(() => checkCommands([`${longest}x`]), RangeError, "command 1 has 1001 characters");
  assertThrows(() => checkCommands(Array(33).fill(ADD)), RangeError, "33 commands");
  assertThrows(() => checkCommands([]), RangeError, "no commands");
  assertThrows(() => checkCommands(["nxdomain a.dyn.example"]), RangeError, "changes anything");
});
