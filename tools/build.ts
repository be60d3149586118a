/**
 * `deno task build [--target TARGET | --all] [--test-runtime]`: the executable,
 * as dist/sftdyn for this machine or dist/sftdyn-TARGET for another, and
 * dist/SHA256SUMS. Two builds of one commit are the same file.
 */

import { ROOT, stdFlags } from "./deno.ts";
import { RUN_FLAGS } from "./run_flags.ts";
import { testRuntime } from "./test_runtime.ts";

/** What `--all` makes: what a release has. */
const TARGETS = ["x86_64-unknown-linux-gnu", "aarch64-unknown-linux-gnu"];
const DIST = `${ROOT}/dist`;
/** Embedded into the executable, which reads it for --version. */
const BUILD_INFO = `${DIST}/build.json`;

async function main(args: string[]): Promise<number> {
  const [option, target, ...rest] = args;
  const isTest = option === "--test-runtime" && args.length === 1;
  const isAll = option === "--all" && args.length === 1;
  const isOne = option === "--target" && target !== undefined && rest.length === 0;
  if (args.length > 0 && !isTest && !isAll && !isOne) {
    console.error("usage: deno task build [--target TARGET | --all | --test-runtime]");
    return 2;
  }
  await Deno.mkdir(DIST, { recursive: true });
  await Deno.writeTextFile(BUILD_INFO, JSON.stringify({ commit: await commit(), isTest }));
  const targets = isAll ? TARGETS : [isOne ? target : undefined];
  const names: string[] = [];
  for (const target of targets) {
    const name = target === undefined ? "sftdyn" : `sftdyn-${target}`;
    if (!await compile(`${DIST}/${name}`, target, isTest)) return 1;
    names.push(name);
  }
  await writeSums(names);
  return 0;
}

/** The commit that is built, with a "+" if the tree differs from it. */
async function commit(): Promise<string> {
  const git = async (...args: string[]) => {
    try {
      const { success, stdout } = await new Deno.Command("git", { args, cwd: ROOT }).output();
      return success ? new TextDecoder().decode(stdout).trim() : undefined;
    } catch {
      return undefined;
    }
  };
  const hash = await git("rev-parse", "--short=12", "HEAD");
  if (hash === undefined) return "unknown commit";
  return await git("status", "--porcelain") === "" ? hash : `${hash}+`;
}

async function compile(
  output: string,
  target: string | undefined,
  isTest: boolean,
): Promise<boolean> {
  const args = [
    "compile",
    "--quiet",
    ...await stdFlags(),
    ...RUN_FLAGS,
    `--include=${BUILD_INFO}`,
    ...(target === undefined ? [] : [`--target=${target}`]),
    `--output=${output}`,
    "main.ts",
  ];
  const runtime = isTest ? await testRuntime() : undefined;
  const [program, first, env] = runtime === undefined
    ? [Deno.execPath(), [], {}] as const
    : [runtime.deno[0], runtime.deno.slice(1), runtime.env] as const;
  const { success } = await new Deno.Command(program, {
    args: [...first, ...args],
    env: { NO_COLOR: "1", ...env },
    cwd: ROOT,
  }).spawn().status;
  if (!success) {
    console.error(
      "not built: if Deno's download server cannot be reached from here, " +
        "`deno task build --test-runtime` makes an executable to test with",
    );
  }
  return success;
}

async function writeSums(names: string[]): Promise<void> {
  let sums = "";
  for (const name of names) {
    const bytes = await Deno.readFile(`${DIST}/${name}`);
    const sum = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)).toHex();
    sums += `${sum}  ${name}\n`;
    console.log(`dist/${name}: ${(bytes.length / 1e6).toFixed(1)} MB, sha256 ${sum}`);
  }
  await Deno.writeTextFile(`${DIST}/SHA256SUMS`, sums);
}

Deno.exit(await main(Deno.args));
