/** The workflows in .github, which run elsewhere: what can be said of them here. */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { ROOT } from "../tools/deno.ts";
import { TARGETS } from "../tools/build.ts";
import { packageName } from "../tools/package.ts";
import { EXECUTABLES } from "../tools/release.ts";
import project from "../deno.json" with { type: "json" };

const CI = await Deno.readTextFile(`${ROOT}/.github/workflows/ci.yml`);
const RELEASE = await Deno.readTextFile(`${ROOT}/.github/workflows/release.yml`);
const GATE = await Deno.readTextFile(`${ROOT}/.ci/run`);
const WORKFLOWS = { "ci.yml": CI, "release.yml": RELEASE };

/** The lines that stand deeper than the line with this number. */
function below(lines: string[], number: number): string[] {
  const depth = (line: string) => /^ *(- )?/.exec(line)![0].length;
  const end = lines.findIndex((line, i) =>
    i > number && line.trim() !== "" && depth(line) <= depth(lines[number]!)
  );
  return lines.slice(number + 1, end === -1 ? lines.length : end);
}

/** The shell scripts of a workflow. */
function scripts(text: string): string[] {
  const lines = text.split("\n");
  return lines.flatMap((line, i) => {
    const first = /^ *(?:- )?run: (.*)$/.exec(line)?.[1];
    return first === undefined ? [] : [[first, ...below(lines, i)].join("\n").trimEnd()];
  });
}

/** The jobs of a workflow, by name. */
function jobs(text: string): Map<string, string> {
  const lines = text.split("\n");
  const inside = below(lines, lines.indexOf("jobs:"));
  return new Map(inside.flatMap((line, i) => {
    const name = /^ {2}(\w+):$/.exec(line)?.[1];
    return name === undefined ? [] : [[name, below(inside, i).join("\n")]];
  }));
}

/** What a pattern finds in a text, or in its group. */
function all(text: string, pattern: RegExp): string[] {
  return [...text.matchAll(pattern)].map((match) => match[1] ?? match[0]);
}

Deno.test("there are no other workflows", () => {
  const names = [...Deno.readDirSync(`${ROOT}/.github/workflows`)].map(({ name }) => name);
  assertEquals(names.sort(), Object.keys(WORKFLOWS));
});

Deno.test("every action is pinned to a commit, with its version beside it", () => {
  const commits = new Map<string, string>();
  for (const [name, text] of Object.entries(WORKFLOWS)) {
    const uses = all(text, /^.*\buses\b.*$/gm).filter((line) =>
      line.trim() !== "uses: ./.github/workflows/ci.yml"
    );
    assert(uses.length > 0, name);
    for (const line of uses) {
      assertMatch(line, /^ +- uses: [\w-]+\/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$/, name);
      const [action, commit] = line.split("uses: ")[1]!.split("@");
      assertEquals(commits.get(action!) ?? commit, commit, action);
      commits.set(action!, commit!);
    }
  }
});

/** The images of the matrix in which the gate runs. */
function images(): string[] {
  const lines = CI.split("\n");
  const list = below(lines, lines.findIndex((line) => line.trim() === "image:"));
  return list.map((line) => /^ +- (\S+)$/.exec(line)?.[1] ?? `no image: ${line}`);
}

Deno.test("every container image is pinned to a digest", () => {
  for (const image of images()) {
    assertMatch(image, /^[a-z]+:\d+\.\d+\.\d+-[a-z]+@sha256:[0-9a-f]{64}$/);
  }
  assertEquals(new Set(images().map((image) => image.split("@")[1])).size, images().length);
  // There is no other.
  assertEquals(all(CI + RELEASE, /^.*\b(?:image|container):.+$/gm), [
    "      image: ${{ matrix.image }}",
  ]);
});

Deno.test("the gate runs on Debian 12 and 13, and on each also where it fails on the other", () => {
  assertEquals(
    images().map((image) => /-([a-z]+)@/.exec(image)?.[1]),
    ["bookworm", "trixie"],
  );
  assertMatch(jobs(CI).get("gate")!, /^ {6}fail-fast: false$/m);
  assertEquals(all(CI + RELEASE, /^ +(?:exclude|include):/gm), []);
});

Deno.test("only the job that publishes may write, and it runs nothing of the project", () => {
  for (const [name, text] of Object.entries(WORKFLOWS)) {
    assertEquals(all(text, /^permissions:\n(?: +.*\n)*/gm), [
      "permissions:\n  contents: read\n",
    ], name);
  }
  assertEquals(all(CI, /^.*\bpermissions\b.*$/gm), ["permissions:"]);
  assertEquals(all(RELEASE, /^( *)permissions\b.*$/gm), ["", "    "]);
  const publish = jobs(RELEASE).get("publish")!;
  assertEquals(all(publish, /^ {6}([\w-]+: write) # /gm), [
    "contents: write",
    "id-token: write",
    "attestations: write",
  ]);
  assertEquals(all(CI + RELEASE, /: write\b/g).length, 3);
  assertEquals(all(publish, /checkout|npx|deno|\.ci/g), []);
});

Deno.test("a checkout does not leave its token behind", () => {
  for (const [name, text] of Object.entries(WORKFLOWS)) {
    const checkouts = all(text, /uses: actions\/checkout@.*\n(.*\n.*)\n/g);
    assertEquals(checkouts.length, all(text, /checkout@/g).length, name);
    assert(checkouts.length > 0, name);
    for (const checkout of checkouts) {
      assertEquals(checkout, "        with:\n          persist-credentials: false", name);
    }
  }
});

Deno.test("every job ends in time, and has the tests before it", () => {
  const release = jobs(RELEASE);
  assertEquals([...jobs(CI).keys()], ["gate"]);
  assertEquals([...release.keys()], ["test", "build", "publish"]);
  assertEquals(release.get("test")!.trim(), "uses: ./.github/workflows/ci.yml");
  for (const [name, job] of [...jobs(CI), ...release]) {
    if (name !== "test") assertMatch(job, /^ {4}timeout-minutes: \d+$/m, name);
  }
  assertMatch(release.get("build")!, /^ {4}needs: test$/m);
  assertMatch(release.get("publish")!, /^ {4}needs: build$/m);
});

Deno.test("no script has anything put into its text", () => {
  for (const [name, text] of Object.entries(WORKFLOWS)) {
    const found = scripts(text);
    assert(found.length > 0, name);
    assertEquals(found.length, all(text, /\brun:/g).length, name);
    for (const script of found) assert(!script.includes("${{"), `${name}: ${script}`);
  }
});

Deno.test("scripts run the gate, tasks that there are, and one version of Deno", () => {
  assert(scripts(CI).includes(".ci/run"));
  const text = [...scripts(CI), ...scripts(RELEASE), GATE].join("\n");
  const tasks = all(text, /\bdeno\S* task (\S+)/g);
  assertEquals(tasks.toSorted(), ["release", "static", "test"]);
  for (const task of tasks) assert(Object.hasOwn(project.tasks, task), task);
  const versions = all(text, /\bdeno\b(?:@(\S+))?/g);
  assertEquals(versions.length, tasks.length);
  for (const version of versions) assertEquals(version, versions[0]);
  assertMatch(versions[0]!, /^\d+\.\d+\.\d+$/);
});

Deno.test("a release has what is built, and what goes with it", async () => {
  const published = [
    ...EXECUTABLES.map((name) => `dist/${name}`),
    // The workflow does not know the version.
    ...TARGETS.map((target) => `dist/${packageName(target, "*")}`),
    "dist/SHA256SUMS",
    "sftdyn.service",
    "sftdyn.toml.example",
  ];
  for (const name of published.filter((name) => !name.startsWith("dist/"))) {
    assert((await Deno.stat(`${ROOT}/${name}`)).isFile, name);
  }
  const command = scripts(RELEASE).find((script) => script.includes("gh release create"))!;
  assertEquals(all(command, /^ +((?:dist\/)?[sS]\S+)$/gm), published);
  const lines = RELEASE.split("\n");
  const handed = below(lines, lines.findIndex((line) => line.endsWith("path: |")))
    .map((line) => line.trim());
  assertEquals(
    handed.filter((name) => name !== "").toSorted(),
    [...published, "dist/NOTES.md"].toSorted(),
  );
});
