/**
 * The executable against a bare server that is compiled the same way: how soon
 * they answer, what memory they take, how large they are.
 */

import { compile, copySources } from "../build.ts";
import { ROOT } from "../deno.ts";
import { type Named, output } from "../named.ts";
import { describe, inTurns, report } from "./report.ts";
import { atEnd, clientLines, ONE_ADDRESS, Server, sftdynArgs, temporaryFolder } from "./server.ts";
import { get } from "./wrk.ts";

/** A start takes a twentieth of a second: there is time for many. */
const START_ROUNDS = 51;
/** Milliseconds. */
const ANSWER_TIMEOUT = 60_000;
/** After the first answer; nobody asks anything meanwhile. */
const IDLE_SECONDS = 5;
const REQUESTS = 100_000;
const CLIENTS = 10;

/** One of the two executables. */
interface Side {
  file: string;
  /** Its arguments. The bare server says what it is told to say. */
  args: (port: number, answer: string) => Promise<string[]> | string[];
}

export async function executable(named: Named): Promise<void> {
  const folder = await temporaryFolder();
  await build(folder);
  const sftdyn: Side = {
    file: `${folder}/sftdyn`,
    args: (port) => sftdynArgs(port, named, clientLines(CLIENTS), ONE_ADDRESS),
  };
  const bare: Side = { file: `${folder}/bare`, args: (port, answer) => [`${port}`, answer] };

  const compare = async (
    what: string,
    measure: (side: Side) => Promise<number>,
    unit: string,
    wanted: string,
    rounds?: number,
  ) => {
    const pairs = await inTurns(() => measure(sftdyn), () => measure(bare), rounds);
    const [ratio, detail] = describe(pairs, (figure) => figure, unit, 1);
    report(`${what}, of a bare server's`, ratio, wanted, detail);
  };
  await compare("start to first answer", startTime, "ms", "1.4", START_ROUNDS);
  await compare(`memory when idle for ${IDLE_SECONDS} s`, idleMemory, "MB", "1.1");
  const requests = REQUESTS.toLocaleString("en");
  await compare(`memory after ${requests} requests`, usedMemory, "MB", "1.25");

  const [size, bareSize] = [(await Deno.stat(sftdyn.file)).size, (await Deno.stat(bare.file)).size];
  const ours = ((size - bareSize) / 1e6).toFixed(2);
  const version = await output(sftdyn.file, "--version");
  const detail = `${ours} MB more than the bare server: our sources and @std; ${version}`;
  report("size of the executable", `${(size / 1e6).toFixed(1)} MB`, "-", detail);
}

/** Compiles both: with Deno's own runtime, or where it cannot be had with the test runtime. */
async function build(folder: string): Promise<void> {
  for (const isTest of [false, true]) {
    if (isTest) console.error("the executables are made with the test runtime instead");
    const sources = await copySources(isTest);
    atEnd(() => Deno.remove(sources, { recursive: true }));
    await Deno.copyFile(`${ROOT}/tools/bench/bare.ts`, `${sources}/bare.ts`);
    if (
      await compile(sources, `${folder}/sftdyn`, undefined, isTest) &&
      await compile(sources, `${folder}/bare`, undefined, isTest, "bare.ts")
    ) return;
  }
  throw new Error("neither executable could be built");
}

/** Milliseconds from the start of the process to the end of its first answer. */
async function startTime(side: Side): Promise<number> {
  const { server, time } = await start(side, "", ["127.0.0.1"]);
  await server.stop();
  return time;
}

/** Resident MB of a process that has answered once. */
async function idleMemory(side: Side): Promise<number> {
  const { server } = await start(side, "", ["127.0.0.1"]);
  await new Promise((resolve) => setTimeout(resolve, IDLE_SECONDS * 1000));
  return await memoryAtEnd(server);
}

/** Resident MB of a process that has answered so many requests for an update. */
async function usedMemory(side: Side): Promise<number> {
  const { server } = await start(side, "key1", ["UPTODATE", "OK"]);
  for (let sent = 0; sent < REQUESTS;) {
    sent += (await get(server, "key1", "UPTODATE", { seconds: 1 })).requests;
  }
  return await memoryAtEnd(server);
}

async function memoryAtEnd(server: Server): Promise<number> {
  const memory = await server.memory();
  await server.stop();
  return memory;
}

/**
 * Starts a process and asks it once.
 *
 * @param right the answers that are right; the bare server gives the first
 */
async function start(
  { file, args }: Side,
  path: string,
  right: [string, ...string[]],
): Promise<{ server: Server; time: number }> {
  const server = new Server();
  const ready = await args(server.port, right[0]);
  // What Deno keeps there of earlier starts is not there for a service: systemd gives it an empty one.
  const env = { TMPDIR: await temporaryFolder() };
  const request = `GET /${path} HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n`;

  const begin = performance.now();
  server.spawn([file], ready, env);
  const deadline = setTimeout(() => server.stop(), ANSWER_TIMEOUT);
  using connection = await server.connect();
  await connection.write(new TextEncoder().encode(request));
  const answer = await new Response(connection.readable).text();
  const time = performance.now() - begin;
  clearTimeout(deadline);

  const [head, body] = answer.split("\r\n\r\n");
  if (!head!.startsWith("HTTP/1.1 200 ") || !right.includes(body!)) {
    throw new Error(`the first answer was wrong: ${JSON.stringify(answer)}`);
  }
  return { server, time };
}
