/** The deadline under which the tests run programs. */

import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { run, statusOf } from "../tools/program.ts";
import { within } from "./support.ts";

/** Whether there is such a process that has not ended. */
async function isAlive(pid: string): Promise<boolean> {
  const stat = await Deno.readTextFile(`/proc/${pid}/stat`).catch(() => ") Z");
  return !/\) Z/.test(stat);
}

Deno.test("run() gives the code and all output of a program that ends in time", async () => {
  const script = "echo one; echo zwölf >&2; cat; exit 3";
  assertEquals(await run(["sh", "-c", script]), { code: 3, stdout: "one\n", stderr: "zwölf\n" });
});

Deno.test("run() kills a program that does not end, with what it started, and says what it printed", async () => {
  const script = "echo one; echo two >&2; sleep 1001 & echo $$ $!; wait";
  const { message } = await assertRejects(() => run(["sh", "-c", script], { timeout: 2 }), Error);
  assertMatch(message, /^killed after 2 s: sh -c echo one; /);
  const [, shell, sleep] = /\nstdout: one\n(\d+) (\d+)\n\nstderr: two\n$/.exec(message)!;
  assert(!await isAlive(shell!));
  const gone = async () => {
    while (await isAlive(sleep!)) await new Promise((resolve) => setTimeout(resolve, 5));
  };
  await within(gone(), "the end of what it started");
});

Deno.test("run() does not wait for what has left the program and keeps its output open", async () => {
  const script = "(setsid sleep 1002 & echo $!)";
  const { message } = await assertRejects(() => run(["sh", "-c", script], { timeout: 2 }), Error);
  const [, pid] = /\nstdout: (\d+)\n/.exec(message)!;
  Deno.kill(Number(pid), "SIGKILL");
});

Deno.test("run() names a program that is not there", async () => {
  await assertRejects(() => run(["/nonexistent/program"]), Deno.errors.NotFound, "/nonexistent");
});

Deno.test("statusOf() kills a process that does not end", async () => {
  const process = new Deno.Command("sleep", { args: ["1003"] }).spawn();
  await assertRejects(() => statusOf(process, () => "its log", 0.1), Error, "after 0.1 s: its log");
  assertEquals((await process.status).signal, "SIGKILL");
});
