/**
 * `deno task release [--dry-run] [--tag TAG]`: whether this commit can be
 * released, and the release's files in dist/: the executables, Debian packages of
 * them, SHA256SUMS and NOTES.md. It publishes nothing; .github/workflows/release.yml does.
 *
 * Exits with 0 if everything is right, and with 1 if something is to do, after
 * saying what: then it builds nothing, and a dry run builds all the same, with
 * the same exit status. The files stay only if everything is right.
 */

import { compile, copySources, DIST, TARGETS, writeSums } from "./build.ts";
import { deno, ROOT, stdFlags } from "./deno.ts";
import { output } from "./named.ts";
import { makePackage, packageName } from "./package.ts";

/** The executables of a release, in dist/. */
export const EXECUTABLES = TARGETS.map((target) => `sftdyn-${target}`);
const NOTES = "NOTES.md";
const PACKAGES = TARGETS.map((target) => packageName(target));
const FILES = [...EXECUTABLES, ...PACKAGES, "SHA256SUMS", NOTES];
/** What elf(5) calls e_machine, of each architecture. */
const ELF_MACHINES: Record<string, number> = { x86_64: 62, aarch64: 183 };

export interface Options {
  isDryRun: boolean;
  /** The tag that the release is meant to have. */
  tag?: string;
}

/** One thing that a release needs. */
export interface Finding {
  isRight: boolean;
  text: string;
}

/** What a commit says of the release that it is to be. */
export interface Commit {
  /** As `--version` of an executable says it. */
  hash: string;
  /** The project's version, of deno.json. */
  version: string;
  /** The tags of this commit. */
  tags: string[];
  /** The tags of all commits. */
  allTags: string[];
  /** The files that are not as committed. */
  changes: string[];
  changelog: string;
  /** The Deno that the gate runs. */
  deno: string;
}

/** Where a release is made. */
export interface Machine {
  deno: string;
  /** The flags with which it finds @std here (tools/deno.ts). */
  flags: string[];
  /** The runtime that `deno compile` is told to take instead of Deno's own. */
  runtime: string | undefined;
}

async function main(args: string[]): Promise<number> {
  const options = parseOptions(args);
  if (options === undefined) {
    console.error("usage: deno task release [--dry-run] [--tag TAG]");
    return 2;
  }
  let commit;
  try {
    commit = await readCommit(ROOT);
  } catch (error) {
    console.error(`no commit to release: ${(error as Error).message}`);
    return 1;
  }
  const machine = {
    deno: Deno.version.deno,
    flags: await stdFlags(),
    runtime: Deno.env.get("DENORT_BIN"),
  };
  const findings = [...checkCommit(commit, options.tag), ...checkMachine(machine, commit)];
  for (const finding of findings) show(finding);
  let left = findings.filter(({ isRight }) => !isRight).length;
  if (left > 0 && !options.isDryRun) return end(`${left} to do, nothing was built`, 1);
  await removeFiles();
  for (const finding of await build(commit, options.isDryRun)) {
    show(finding);
    if (!finding.isRight) left++;
  }
  if (left > 0) {
    await removeFiles();
    return end(`${left} to do, no file was kept`, 1);
  }
  await Deno.writeTextFile(`${DIST}/${NOTES}`, `${notesOf(commit.changelog, commit.version)}\n`);
  return end(`everything is right: dist/ has ${FILES.join(", ")}`, 0);
}

/** The options, or undefined if they are not understood. */
export function parseOptions(args: string[]): Options | undefined {
  const options: Options = { isDryRun: false };
  const left = [...args];
  while (left.length > 0) {
    const word = left.shift();
    const tag = word === "--tag" ? left.shift() : undefined;
    if (tag !== undefined) options.tag = tag;
    else if (word === "--dry-run") options.isDryRun = true;
    else return undefined;
  }
  return options;
}

/** Reads the commit that is checked out in this folder. */
export async function readCommit(root: string): Promise<Commit> {
  const lines = async (...args: string[]) =>
    (await output("git", "-C", root, ...args)).split("\n").filter((line) => line !== "");
  const [hash] = await lines("rev-parse", "--short=12", "HEAD");
  const status = await lines("status", "--porcelain");
  const gate = await Deno.readTextFile(`${root}/.ci/run`);
  return {
    hash: hash!,
    version: JSON.parse(await Deno.readTextFile(`${root}/deno.json`)).version,
    tags: await lines("tag", "--points-at", "HEAD"),
    allTags: await lines("tag"),
    changes: status.map((line) => line.trim().replace(/^\S+ +/, "")),
    changelog: await Deno.readTextFile(`${root}/CHANGELOG.md`),
    deno: /\bdeno@(\d+\.\d+\.\d+)/.exec(gate)?.[1] ?? "unknown",
  };
}

/** Looks at a commit, and at the tag that the release is meant to have. */
export function checkCommit(commit: Commit, tag?: string): Finding[] {
  return [checkVersion(commit), checkTag(commit, tag), checkTree(commit), checkChangelog(commit)];
}

function checkVersion({ version }: Commit): Finding {
  if (/^\d+\.\d+\.\d+$/.test(version)) return right(`version: ${version}`);
  return toDo(`version: "${version}" in deno.json must be MAJOR.MINOR.PATCH`);
}

function checkTag({ version, tags, allTags }: Commit, asked?: string): Finding {
  const tag = `v${version}`;
  if (asked !== undefined && asked !== tag) {
    return toDo(`tag: ${asked} is asked for, but the version in deno.json is ${version}`);
  }
  if (tags.includes(tag)) return right(`tag: ${tag}`);
  if (allTags.includes(tag)) {
    return toDo(`tag: ${tag} is an earlier commit: set the next version in deno.json`);
  }
  const others = tags.filter((name) => /^v\d/.test(name));
  if (others.length > 0) {
    return toDo(`tag: it is ${others.join(", ")}, but the version in deno.json is ${version}`);
  }
  return toDo(`tag: there is none here: when the rest is right, git tag ${tag}`);
}

function checkTree({ changes }: Commit): Finding {
  if (changes.length === 0) return right("tree: all is committed");
  const more = changes.length > 3 ? ` and ${changes.length - 3} more` : "";
  return toDo(`tree: commit ${changes.slice(0, 3).join(", ")}${more}`);
}

function checkChangelog({ changelog, version }: Commit): Finding {
  const all = sections(changelog);
  const own = all.filter(({ title }) => title === version);
  const hasUnreleased = all.some(({ title, isEmpty }) => title === "Unreleased" && !isEmpty);
  if (own.length === 0 && hasUnreleased) {
    return toDo(`CHANGELOG.md: what is under "Unreleased" must be under "${version}"`);
  }
  if (own.length === 0) return toDo(`CHANGELOG.md: there is no section "## ${version}"`);
  if (own.length > 1) return toDo(`CHANGELOG.md: "## ${version}" is there ${own.length} times`);
  if (own[0]!.isEmpty) return toDo(`CHANGELOG.md: the section "## ${version}" is empty`);
  if (hasUnreleased) {
    return toDo(`CHANGELOG.md: what is under "Unreleased" is released now too: under "${version}"`);
  }
  return right(`CHANGELOG.md: has ${version}`);
}

/** The release notes of a version: its section of the changelog. */
export function notesOf(changelog: string, version: string): string | undefined {
  return sections(changelog).find(({ title }) => title === version)?.text;
}

/** The changelog's sections; a title is without its date. */
function sections(changelog: string): { title: string; text: string; isEmpty: boolean }[] {
  return changelog.split(/^## +/m).slice(1).map((section) => {
    const [heading, ...lines] = section.split("\n");
    const title = heading!.replace(/[ ,(-]+\d{4}-\d{2}-\d{2}\)?\s*$/, "").trim();
    const isEmpty = lines.every((line) => /^\s*(#.*)?$/.test(line));
    return { title, text: lines.join("\n").trim(), isEmpty };
  });
}

/** Looks whether what is made on a machine is what is tested, and what others make of the commit. */
export function checkMachine({ deno, flags, runtime }: Machine, commit: Commit): Finding[] {
  return [
    deno === commit.deno
      ? right(`Deno: ${deno}`)
      : toDo(`Deno: this is ${deno}, tested is npx --yes deno@${commit.deno} task release`),
    flags.some((flag) => flag.includes("npm_std"))
      ? toDo("@std: release from a machine that reaches JSR")
      : right("@std: from JSR"),
    runtime === undefined
      ? right("runtime: Deno's own")
      : toDo(`runtime: unset DENORT_BIN, which names ${runtime}`),
  ];
}

/** Looks at the ELF header of a target's executable: most of them cannot be run here. */
export function checkArchitecture(header: Uint8Array, target: string): Finding {
  const isElf = new TextDecoder().decode(header.subarray(0, 4)) === "\x7fELF";
  const machine = isElf ? new DataView(header.slice(18, 20).buffer).getUint16(0, true) : undefined;
  if (machine !== undefined && machine === ELF_MACHINES[target.split("-")[0]!]) {
    return right(`executables: sftdyn-${target} is for its architecture`);
  }
  return toDo(`executables: sftdyn-${target} is not for its architecture`);
}

/** Looks at what an executable says to `--version`. */
export function checkVersionText(said: string, commit: Commit): Finding {
  const expected = `sftdyn ${commit.version} (commit ${commit.hash}, Deno ${commit.deno})`;
  if (said === expected) return right(`executables: ${said}`);
  return toDo(`executables: one says "${said}", but must say "${expected}"`);
}

/** Makes the executables, packages and SHA256SUMS; a dry run that cannot tries the steps with a test build. */
async function build(commit: Commit, isDryRun: boolean): Promise<Finding[]> {
  if (await deno(["run", "-A", "tools/build.ts", "--all"]) !== 0) {
    return [isDryRun ? await tryTestBuild() : toDo("executables: could not be built, see above")];
  }
  const findings = [];
  for (const target of TARGETS) {
    using file = await Deno.open(`${DIST}/sftdyn-${target}`);
    const header = new Uint8Array(20);
    await file.read(header);
    findings.push(checkArchitecture(header, target));
  }
  if (!TARGETS.includes(Deno.build.target)) {
    return [...findings, toDo("executables: none of them runs on this machine: release on Linux")];
  }
  const said = await output(`${DIST}/sftdyn-${Deno.build.target}`, "--version");
  return [...findings, checkVersionText(said, commit), await pack()];
}

async function pack(): Promise<Finding> {
  try {
    for (const target of TARGETS) {
      await makePackage({ executable: `${DIST}/sftdyn-${target}`, target, folder: DIST });
    }
  } catch (error) {
    return toDo(`packages: ${(error as Error).message}`);
  }
  await writeSums([...EXECUTABLES, ...PACKAGES]);
  return right(`packages: ${PACKAGES.join(", ")}`);
}

/** For machines that do not reach Deno's download server; nobody gets to see this executable. */
async function tryTestBuild(): Promise<Finding> {
  const folder = await copySources(true);
  try {
    const file = `${folder}/sftdyn`;
    if (!await compile(folder, file, undefined, true)) {
      return toDo("executables: could not be built, not even to test with, see above");
    }
    const said = await output(file, "--version");
    return toDo(
      "executables: Deno's runtime could not be downloaded, see above; one to test with, " +
        `removed again, could be built and says "${said}"`,
    );
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function removeFiles(): Promise<void> {
  for (const name of FILES) {
    try {
      await Deno.remove(`${DIST}/${name}`);
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }
}

function right(text: string): Finding {
  return { isRight: true, text };
}

function toDo(text: string): Finding {
  return { isRight: false, text };
}

function show({ isRight, text }: Finding): void {
  console.log(`${isRight ? "ok" : "to do"}: ${text}`);
}

function end(text: string, code: number): number {
  console.log(text);
  return code;
}

if (import.meta.main) Deno.exit(await main(Deno.args));
