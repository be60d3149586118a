/** What `deno task release` decides. */

import { assert, assertEquals, assertMatch } from "@std/assert";
import {
  checkArchitecture,
  checkCommit,
  checkMachine,
  checkVersionText,
  type Commit,
  type Finding,
  type Machine,
  notesOf,
  parseOptions,
} from "../tools/release.ts";

const CHANGELOG = `# Changelog

## 1.2.3 (2026-11-23)

- One.

### Fixed

- Two.

## 1.2.2

- Three.
`;

const COMMIT: Commit = {
  hash: "0123456789ab",
  version: "1.2.3",
  tags: ["v1.2.3"],
  allTags: ["v1.2.2", "v1.2.3"],
  changes: [],
  changelog: CHANGELOG,
  deno: "2.9.6",
};

const MACHINE: Machine = { deno: "2.9.6", flags: ["--frozen"], runtime: undefined };

/** What is to be done. */
function toDo(findings: Finding[]): string[] {
  return findings.filter(({ isRight }) => !isRight).map(({ text }) => text);
}

Deno.test("a commit with tag, changelog and no changes can be released", () => {
  assertEquals(toDo(checkCommit(COMMIT)), []);
  assertEquals(toDo(checkCommit(COMMIT, "v1.2.3")), []);
  assertEquals(toDo(checkCommit({ ...COMMIT, tags: ["latest", "v1.2.3"] })), []);
});

const FAULTS: [string, Partial<Commit>, string | undefined, RegExp][] = [
  ["another tag is asked for", {}, "v1.2.4", /^tag: v1\.2\.4 is asked for, .* is 1\.2\.3$/],
  ["a tag without v is asked for", {}, "1.2.3", /^tag: 1\.2\.3 is asked for/],
  [
    "the tag that is asked for is not there",
    { tags: [], allTags: [] },
    "v1.2.3",
    /^tag: there is none here: .* git tag v1\.2\.3$/,
  ],
  ["no tag", { tags: [], allTags: ["v1.2.2"] }, undefined, /^tag: there is none here/],
  ["no tag of a version", { tags: ["latest"], allTags: ["latest"] }, undefined, /none here/],
  [
    "another version's tag",
    { tags: ["v1.2.4"], allTags: ["v1.2.4"] },
    undefined,
    /^tag: it is v1\.2\.4, but the version in deno\.json is 1\.2\.3$/,
  ],
  ["a version that is released already", { tags: [] }, undefined, /^tag: v1\.2\.3 is an earlier/],
  [
    "a version of two numbers",
    { version: "1.2", tags: ["v1.2"], changelog: "## 1.2\n- One.\n" },
    undefined,
    /^version: "1\.2" in deno\.json must be MAJOR\.MINOR\.PATCH$/,
  ],
  ["a change", { changes: ["main.ts"] }, undefined, /^tree: commit main\.ts$/],
  [
    "many changes",
    { changes: ["a", "b", "c", "d", "e"] },
    undefined,
    /^tree: commit a, b, c and 2 more$/,
  ],
  [
    "a changelog that knows no release",
    { changelog: "# Changelog\n\n## Unreleased\n\n- One.\n" },
    undefined,
    /^CHANGELOG\.md: what is under "Unreleased" must be under "1\.2\.3"$/,
  ],
  [
    "a changelog with the version before",
    { changelog: "## 1.2.2\n\n- One.\n" },
    undefined,
    /^CHANGELOG\.md: there is no section "## 1\.2\.3"$/,
  ],
  [
    "a changelog with a version that begins like it",
    { changelog: "## 1.2.30\n\n- One.\n\n## 1.2.3-rc.1\n\n- Two.\n" },
    undefined,
    /^CHANGELOG\.md: there is no section "## 1\.2\.3"$/,
  ],
  ["an empty changelog", { changelog: "" }, undefined, /^CHANGELOG\.md: there is no section/],
  [
    "an empty section",
    { changelog: "## 1.2.3\n\n### Fixed\n\n## 1.2.2\n\n- Three.\n" },
    undefined,
    /^CHANGELOG\.md: the section "## 1\.2\.3" is empty$/,
  ],
  [
    "two sections",
    { changelog: "## 1.2.3\n\n- One.\n\n## 1.2.3 (2026-11-23)\n\n- Two.\n" },
    undefined,
    /^CHANGELOG\.md: "## 1\.2\.3" is there 2 times$/,
  ],
  [
    "changes that are not in the section",
    { changelog: `## Unreleased\n\n- New.\n\n${CHANGELOG}` },
    undefined,
    /^CHANGELOG\.md: what is under "Unreleased" is released now too: under "1\.2\.3"$/,
  ],
];

for (const [name, change, tag, expected] of FAULTS) {
  Deno.test(`a release is held back by ${name}`, () => {
    const found = toDo(checkCommit({ ...COMMIT, ...change }, tag));
    assertEquals(found.length, 1, found.join("\n"));
    assertMatch(found[0]!, expected);
  });
}

Deno.test("everything that is to be done is said at once", () => {
  const commit = { ...COMMIT, version: "next", changes: ["main.ts"] };
  assertEquals(toDo(checkCommit(commit)).length, 4);
});

Deno.test("an empty section Unreleased is none", () => {
  const changelog = `## Unreleased\n\n${CHANGELOG}`;
  assertEquals(toDo(checkCommit({ ...COMMIT, changelog })), []);
});

Deno.test("the release notes are the version's section, whatever form its date has", () => {
  const notes = "- One.\n\n### Fixed\n\n- Two.";
  for (
    const heading of ["1.2.3", "1.2.3 (2026-11-23)", "1.2.3 - 2026-11-23", "1.2.3, 2026-11-23"]
  ) {
    const changelog = CHANGELOG.replace("1.2.3 (2026-11-23)", heading);
    assertEquals(notesOf(changelog, "1.2.3"), notes, heading);
    assertEquals(notesOf(changelog, "1.2.2"), "- Three.", heading);
  }
  assertEquals(notesOf(CHANGELOG, "1.2"), undefined);
});

Deno.test("a release is made with the tested Deno, @std from JSR, and Deno's runtime", () => {
  assertEquals(toDo(checkMachine(MACHINE, COMMIT)), []);
  for (
    const [change, expected] of [
      [{ deno: "2.9.5" }, /^Deno: this is 2\.9\.5, tested is npx --yes deno@2\.9\.6 task release$/],
      [{ flags: ["--import-map=/x/tools/npm_std/import_map.json", "--frozen"] }, /^@std: .* JSR$/],
      [{ runtime: "/x/denort" }, /^runtime: unset DENORT_BIN, which names \/x\/denort$/],
    ] as const
  ) {
    const found = toDo(checkMachine({ ...MACHINE, ...change } as Machine, COMMIT));
    assertEquals(found.length, 1, found.join("\n"));
    assertMatch(found[0]!, expected);
  }
});

Deno.test("an executable must say this version, this commit and the tested Deno", () => {
  const right = "sftdyn 1.2.3 (commit 0123456789ab, Deno 2.9.6)";
  assert(checkVersionText(right, COMMIT).isRight);
  for (
    const said of [
      "sftdyn 1.2.3 (commit 0123456789ab, TEST BUILD, not for use, Deno 2.9.6)",
      "sftdyn 1.2.3 (commit 0123456789ab+, Deno 2.9.6)",
      "sftdyn 1.2.3 (commit unknown, Deno 2.9.6)",
      "sftdyn 1.2.3 (from source, Deno 2.9.6)",
      "sftdyn 1.2.2 (commit 0123456789ab, Deno 2.9.6)",
      "sftdyn 1.2.3 (commit 0123456789ab, Deno 2.7.11)",
      "",
    ]
  ) {
    const { isRight, text } = checkVersionText(said, COMMIT);
    assert(!isRight, said);
    assert(text.includes(`"${said}"`) && text.includes(`"${right}"`), text);
  }
});

Deno.test("an executable must be for the architecture in its name", async () => {
  using file = await Deno.open(Deno.execPath());
  const own = new Uint8Array(20);
  await file.read(own);
  const arm = Uint8Array.from(own);
  arm.set([183, 0], 18);
  const intel = Uint8Array.from(own);
  intel.set([62, 0], 18);
  const script = new TextEncoder().encode("#!/bin/sh\n12345678>\0");
  assertEquals(script.length, 20);
  for (
    const [header, architecture, isRight] of [
      [own, Deno.build.arch, true],
      [intel, "x86_64", true],
      [intel, "aarch64", false],
      [arm, "aarch64", true],
      [arm, "x86_64", false],
      [intel, "riscv64gc", false],
      [script, "x86_64", false],
      [new Uint8Array(20), "x86_64", false],
    ] as const
  ) {
    const finding = checkArchitecture(header, `${architecture}-unknown-linux-gnu`);
    assertEquals(finding.isRight, isRight, `${header} ${architecture}`);
  }
});

Deno.test("the options of a release", () => {
  assertEquals(parseOptions([]), { isDryRun: false });
  assertEquals(parseOptions(["--dry-run"]), { isDryRun: true });
  assertEquals(parseOptions(["--tag", "v1.2.3"]), { isDryRun: false, tag: "v1.2.3" });
  const both = { isDryRun: true, tag: "v1.2.3" };
  assertEquals(parseOptions(["--tag", "v1.2.3", "--dry-run"]), both);
  assertEquals(parseOptions(["--dry-run", "--tag", "v1.2.3"]), both);
  for (const args of [["--tag"], ["--dry-run", "--tag"], ["v1.2.3"], ["--tag=v1.2.3"], [""]]) {
    assertEquals(parseOptions(args), undefined, args.join(" "));
  }
});
