/**
 * Where @std comes from, decided once for every task: from JSR, as deno.json
 * says, or, on a machine that cannot reach JSR, from npm by `tools/npm_std/`.
 */

/** The project's folder. */
export const ROOT = import.meta.dirname!.replace(/\/tools$/, "");

/** Seconds to wait for JSR: some firewalls drop what others refuse. */
const JSR_TIMEOUT = 30;

/** The flags that make any `deno` subcommand find @std on this machine. */
export async function stdFlags(): Promise<string[]> {
  if (await loadsFromJsr("--cached-only") || await loadsFromJsr()) return ["--frozen"];
  console.error("JSR cannot be reached: @std comes from npm (tools/npm_std)");
  return [
    `--import-map=${ROOT}/tools/npm_std/import_map.json`,
    `--lock=${ROOT}/tools/npm_std/deno.lock`,
    "--frozen",
  ];
}

/** Runs this Deno with inherited stdio in the project's folder; returns its exit code. */
export async function deno(args: string[], env: Record<string, string> = {}): Promise<number> {
  const { code } = await new Deno.Command(Deno.execPath(), { args, env, cwd: ROOT }).spawn().status;
  return code;
}

async function loadsFromJsr(...flags: string[]): Promise<boolean> {
  const { success } = await new Deno.Command(Deno.execPath(), {
    args: ["cache", "--quiet", "--frozen", ...flags, "main.ts", "tests/config/toml_test.ts"],
    cwd: ROOT,
    stdout: "null",
    stderr: "null",
    signal: AbortSignal.timeout(JSR_TIMEOUT * 1000),
  }).output();
  return success;
}
