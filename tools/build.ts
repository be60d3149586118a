/**
 * `deno task build [--target TARGET | --all] [--test-runtime]`: the executable,
 * as dist/sftdyn for this machine or dist/sftdyn-TARGET for another, and
 * dist/SHA256SUMS. Two builds of one commit are the same file.
 */

import { ROOT, stdFlags } from "./deno.ts";
import { RUN_FLAGS } from "./run_flags.ts";
import { testRuntime } from "./test_runtime.ts";

/** What `--all` makes: what a release has. */
export const TARGETS = ["x86_64-unknown-linux-gnu", "aarch64-unknown-linux-gnu"];
export const DIST = `${ROOT}/dist`;
/** Where an executable is until it is whole: Deno removes what it then cannot make. */
const UNFINISHED = `${DIST}/unfinished`;
/** What an executable is made of. */
const SOURCES = ["main.ts", "lib", "deno.json", "deno.lock", "tools/npm_std"];
/** In a bundle, where a package is on this machine. */
const CACHE = /(?:\.\.\/)+[^"\n]*?\/npm\/registry\.npmjs\.org\//g;
/** Embedded into the executable, which reads it for --version. */
const BUILD_INFO = "dist/build.json";
/**
 * Each is one file in the executable: to load a hundred takes longer, and more memory.
 * The worker, loaded when there are hooks, and `why` lie where the one file of main.ts looks for them.
 */
const BUNDLES = {
  "main.ts": "main.js",
  "lib/hooks/worker.ts": "worker.ts",
  "lib/why/why.ts": "why.ts",
} as const;

async function main(args: string[]): Promise<number> {
  const [option, target, ...rest] = args;
  const isTest = option === "--test-runtime" && args.length === 1;
  const isAll = option === "--all" && args.length === 1;
  const isOne = option === "--target" && target !== undefined && rest.length === 0;
  if (args.length > 0 && !isTest && !isAll && !isOne) {
    console.error("usage: deno task build [--target TARGET | --all | --test-runtime]");
    return 2;
  }
  await Deno.mkdir(UNFINISHED, { recursive: true });
  const folder = await copySources(isTest);
  const targets = isAll ? TARGETS : [isOne ? target : undefined];
  const names: string[] = [];
  try {
    for (const target of targets) {
      const name = target === undefined ? "sftdyn" : `sftdyn-${target}`;
      // Its name is in it.
      const output = `${UNFINISHED}/${name}`;
      if (!await compile(folder, output, target, isTest)) return 1;
      await Deno.rename(output, `${DIST}/${name}`);
      names.push(name);
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
    await Deno.remove(UNFINISHED, { recursive: true });
  }
  await writeSums(names);
  return 0;
}

/**
 * The sources in a folder of their own, each with the time of the commit: the
 * executable holds its files' times.
 */
export async function copySources(isTest: boolean): Promise<string> {
  const folder = await Deno.makeTempDir({ prefix: "sftdyn-build-" });
  const hash = await git("rev-parse", "--short=12", "HEAD") ?? "unknown";
  const changes = await git("status", "--porcelain", "--", ...SOURCES);
  const commit = changes === "" ? hash : `${hash}+`;
  const date = new Date(Number(await git("log", "-1", "--format=%ct") ?? 0) * 1000);
  await copy(ROOT, folder, SOURCES, date);
  await Deno.mkdir(`${folder}/dist`);
  await Deno.writeTextFile(`${folder}/${BUILD_INFO}`, JSON.stringify({ commit, isTest }));
  await Deno.utime(`${folder}/${BUILD_INFO}`, date, date);
  for (const [source, file] of Object.entries(BUNDLES)) {
    // By this Deno, not by the runtime's: it reads what both run.
    await bundle(folder, source, file);
    await Deno.utime(`${folder}/${file}`, date, date);
  }
  return folder;
}

async function bundle(folder: string, source: string, file: string): Promise<void> {
  const { success } = await new Deno.Command(Deno.execPath(), {
    args: ["bundle", "--quiet", "--check", ...await stdFlagsIn(folder), `--output=${file}`, source],
    env: { NO_COLOR: "1" },
    cwd: folder,
  }).spawn().status;
  if (!success) throw new Error(`${source} could not be bundled`);
  // Names of modules are in it: where this machine has its cache makes no other file.
  const path = `${folder}/${file}`;
  const text = await Deno.readTextFile(path);
  await Deno.writeTextFile(path, text.replace(CACHE, "npm:"));
}

/** The flags for @std, of the sources that were copied. */
async function stdFlagsIn(folder: string): Promise<string[]> {
  return (await stdFlags()).map((flag) => flag.replace(ROOT, folder));
}

async function copy(from: string, to: string, names: string[], date: Date): Promise<void> {
  for (const name of names) {
    if ((await Deno.stat(`${from}/${name}`)).isDirectory) {
      await Deno.mkdir(`${to}/${name}`, { recursive: true });
      const inside = [...Deno.readDirSync(`${from}/${name}`)].map((entry) => entry.name);
      await copy(`${from}/${name}`, `${to}/${name}`, inside, date);
    } else {
      await Deno.copyFile(`${from}/${name}`, `${to}/${name}`);
      await Deno.utime(`${to}/${name}`, date, date);
    }
  }
}

/** What git says, or undefined where it cannot. */
export async function git(...args: string[]): Promise<string | undefined> {
  try {
    const { success, stdout } = await new Deno.Command("git", { args, cwd: ROOT }).output();
    return success ? new TextDecoder().decode(stdout).trim() : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Compiles an entry of a folder of sources with what sftdyn is allowed; false if
 * it could not, which Deno has told.
 */
export async function compile(
  folder: string,
  output: string,
  target: string | undefined,
  isTest: boolean,
  entry: string = BUNDLES["main.ts"],
): Promise<boolean> {
  const args = [
    "compile",
    "--quiet",
    // What is bundled was checked, and has no types any more.
    "--no-check",
    ...await stdFlagsIn(folder),
    ...RUN_FLAGS,
    // Deno would let it import code from some hosts; nothing in it does.
    "--deny-import",
    // It would be read from the folder for temporary files, where anybody may have put another.
    "--no-code-cache",
    // The tests have packages of their own. Deno 2.7, of the test runtime, has no such option.
    ...(isTest ? [] : ["--exclude-unused-npm"]),
    `--include=${BUILD_INFO}`,
    `--include=${BUNDLES["lib/hooks/worker.ts"]}`,
    `--include=${BUNDLES["lib/why/why.ts"]}`,
    ...(target === undefined ? [] : [`--target=${target}`]),
    `--output=${output}`,
    entry,
  ];
  const runtime = isTest ? await testRuntime() : undefined;
  const [program, first, env] = runtime === undefined
    ? [Deno.execPath(), [], {}] as const
    : [runtime.deno[0], runtime.deno.slice(1), runtime.env] as const;
  const { success } = await new Deno.Command(program, {
    args: [...first, ...args],
    env: { NO_COLOR: "1", ...env },
    cwd: folder,
  }).spawn().status;
  if (!success) {
    console.error(
      "not built: if Deno's download server cannot be reached from here, " +
        "`deno task build --test-runtime` makes an executable to test with",
    );
  }
  return success;
}

/** Writes SHA256SUMS of files in dist/, and says them. */
export async function writeSums(names: string[]): Promise<void> {
  let sums = "";
  for (const name of names) {
    const bytes = await Deno.readFile(`${DIST}/${name}`);
    const sum = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)).toHex();
    sums += `${sum}  ${name}\n`;
    console.log(`dist/${name}: ${(bytes.length / 1e6).toFixed(1)} MB, sha256 ${sum}`);
  }
  await Deno.writeTextFile(`${DIST}/SHA256SUMS`, sums);
}

if (import.meta.main) Deno.exit(await main(Deno.args));
