/** sftdyn: wires the parts together, and is the only place that exits. */

import { type Command, DEFAULT_FILE, HELP, parseCommandLine, UsageError } from "./lib/cli.ts";
import { coloured, colouredFinding, hasColour } from "./lib/colour.ts";
import { ConfigError, loadConfig } from "./lib/config/config.ts";
import { keyText, newKey, routerText } from "./lib/update_key.ts";
import { isJournal } from "./lib/journal.ts";
import { ListenError } from "./lib/http/listener.ts";
import { createLog } from "./lib/log.ts";
import { Nsupdate, nsupdateVersion } from "./lib/dns/nsupdate.ts";
import { serverUrl, UNKNOWN_URL } from "./lib/server_url.ts";
import { type Service, startService } from "./lib/service.ts";
import { loadWhy } from "./lib/why/load.ts";
import project from "./deno.json" with { type: "json" };

const EXIT = { done: 0, couldNotRun: 1, usage: 2 } as const;

/** Milliseconds for what was accepted when sftdyn is told to stop. */
const GRACE = 10_000;

async function main(args: string[]): Promise<number> {
  let command;
  try {
    command = parseCommandLine(args);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    complain(error.message);
    return EXIT.usage;
  }
  switch (command.name) {
    case "help":
      console.log(HELP.trimEnd());
      return EXIT.done;
    case "version":
      console.log(`sftdyn ${project.version} (${await origin()}Deno ${Deno.version.deno})`);
      return EXIT.done;
    case "key":
      return await runKey(command);
    case "import":
      return await runImport(command.file);
    case "check":
      return await runCheck(command);
    case "status":
      return await runStatus(command);
    case "why":
      return await runWhy(command);
    case "serve":
      return await serve(command);
  }
}

/** What the build wrote into the executable of where it is from. */
async function origin(): Promise<string> {
  if (!Deno.build.standalone) return "from source, ";
  const info = await Deno.readTextFile(new URL("./dist/build.json", import.meta.url));
  const { commit, isTest } = JSON.parse(info);
  return `commit ${commit}, ${isTest ? "TEST BUILD, not for use, " : ""}`;
}

// What serves does not wait for modules that only other commands need.

async function runImport(file: string): Promise<number> {
  const { ImportError, importPython } = await import("./lib/python/to_toml.ts");
  try {
    console.log((await importPython(file)).trimEnd());
    return EXIT.done;
  } catch (error) {
    if (!(error instanceof ImportError)) throw error;
    complain(error.message);
    return EXIT.usage;
  }
}

function complain(message: string): void {
  const name = hasColour(Deno.stderr) ? coloured("sftdyn", "red") : "sftdyn";
  console.error(`${name}: ${message}`);
}

async function runKey(command: Command & { name: "key" }): Promise<number> {
  const { host, isDigest, isForDyndns2 } = command;
  let url = UNKNOWN_URL;
  try {
    url = serverUrl(await loadConfig(command.file ?? DEFAULT_FILE, {}));
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    if (command.file !== undefined) {
      for (const fault of error.faults) complain(fault);
      return EXIT.usage;
    }
  }
  if (isForDyndns2) {
    console.log(routerText(newKey(), { host, url }).trimEnd());
    return EXIT.done;
  }
  const { file, person } = keyText(newKey(), { host, url, isDigest });
  console.log(file.trimEnd());
  if (person !== "") console.error(person.trimEnd());
  return EXIT.done;
}

type ConfigCommand = Command & { name: "serve" | "check" };

async function runCheck({ file, overrides }: ConfigCommand): Promise<number> {
  const { check } = await import("./lib/check.ts");
  const isGood = await check({
    file,
    load: () => loadConfig(file, overrides),
    connect: (nameserver, timeout) => new Nsupdate({ nameserver, timeout }),
    nsupdateVersion,
    print: printFinding,
    showProgress: progressOn([Deno.stderr, Deno.stdout].find((stream) => stream.isTerminal())),
    isRoot,
  });
  return isGood ? EXIT.done : EXIT.couldNotRun;
}

async function runWhy({ host, file }: Command & { name: "why" }): Promise<number> {
  let config;
  try {
    config = await loadConfig(file, {});
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    for (const fault of error.faults) complain(fault);
    return EXIT.usage;
  }
  const { why } = await loadWhy();
  const isWell = await why({
    host,
    config,
    connect: (nameserver, timeout) => new Nsupdate({ nameserver, timeout }),
    print: printFinding,
  });
  return isWell ? EXIT.done : EXIT.couldNotRun;
}

function printFinding(line: string): void {
  console.log(hasColour(Deno.stdout) ? colouredFinding(line) : line);
}

async function runStatus({ file, stale, isJson }: Command & { name: "status" }): Promise<number> {
  const [{ status }, { AskError }] = await Promise.all([
    import("./lib/status/status_command.ts"),
    import("./lib/status/ask.ts"),
  ]);
  const isTerminal = Deno.stdout.isTerminal();
  try {
    const isDone = await status({
      file,
      load: () => loadConfig(file, {}),
      stale,
      isJson,
      print: console.log,
      tell: Deno.stderr.isTerminal() ? console.error : undefined,
      width: isTerminal ? Deno.consoleSize().columns || Infinity : Infinity,
      hasColour: hasColour(Deno.stdout),
    });
    return isDone ? EXIT.done : EXIT.couldNotRun;
  } catch (error) {
    if (error instanceof ConfigError) {
      for (const fault of error.faults) complain(fault);
      return EXIT.usage;
    }
    if (!(error instanceof AskError)) throw error;
    complain(error.message);
    return EXIT.couldNotRun;
  }
}

/** Shows progress in one line of a terminal, where there is one. */
function progressOn(terminal: typeof Deno.stdout | undefined) {
  if (terminal === undefined) return undefined;
  const encoder = new TextEncoder();
  return (text: string) => void terminal.writeSync(encoder.encode(`\r\x1b[K${text}`));
}

/** Whether this is root, as far as sftdyn's permissions let it know: nobody else lists this folder. */
function isRoot(): boolean {
  try {
    Deno.readDirSync("/root")[Symbol.iterator]().next();
    return (Deno.statSync("/root").mode ?? 0o77) % 0o100 === 0;
  } catch {
    return false;
  }
}

async function serve({ file, overrides, level }: ConfigCommand): Promise<number> {
  const started = Promise.withResolvers<Service>();
  started.promise.catch(() => {});
  // A reload that comes before the service is ready is done when it is. This is the first
  // listener: with that of another signal, Deno would no longer ignore SIGHUP.
  Deno.addSignalListener(
    "SIGHUP",
    () => void started.promise.then((service) => service.reload(), () => {}),
  );
  const stopped = nextSignal("SIGTERM", "SIGINT");
  const journal = await isJournal(Deno.env.get("JOURNAL_STREAM"));
  // What is wrong with a configuration is told as the command line has it.
  let format = overrides.log ?? "text";
  const colour = hasColour(Deno.stderr);
  const log = createLog({ level, journal, colour, format: () => format });
  try {
    const load = () => loadConfig(file, overrides);
    started.resolve(startService({
      version: project.version,
      load,
      log,
      onConfig: (config) => format = config.log,
    }));
    const service = await started.promise;
    log.info(`${await stopped}: stopping`, { event: "stopping" });
    await service.stop(GRACE);
    return EXIT.done;
  } catch (error) {
    if (error instanceof ConfigError) {
      for (const fault of error.faults) log.error(fault, { event: "start_failed" });
      return EXIT.usage;
    }
    if (!(error instanceof ListenError)) throw error;
    log.error(error.message, { event: "start_failed" });
    return EXIT.couldNotRun;
  }
}

function nextSignal(...signals: Deno.Signal[]): Promise<Deno.Signal> {
  return new Promise((resolve) => {
    for (const signal of signals) Deno.addSignalListener(signal, () => resolve(signal));
  });
}

if (import.meta.main) Deno.exit(await main(Deno.args));
