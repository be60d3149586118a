/**
 * `deno task package [--target TARGET] [--test-runtime]`: a Debian package of the
 * executable that `deno task build` has made, as dist/sftdyn_VERSION_ARCH.deb.
 * Two packages of one executable and commit are the same file. --test-runtime
 * packs one to test with, which is refused otherwise.
 */

import { createHash } from "node:crypto";
import { gzipSync } from "node:zlib";
import project from "../deno.json" with { type: "json" };
import { DIST, git } from "./build.ts";
import { ROOT } from "./deno.ts";

/** What Debian calls the architectures of targets. */
const ARCHITECTURES: Record<string, string> = { x86_64: "amd64", aarch64: "arm64" };
const CONFIGURATION = "etc/sftdyn/sftdyn.toml";
const JAIL = "etc/fail2ban/jail.d/sftdyn.conf";
const SCRIPTS = ["postinst", "prerm", "postrm"];

/** What is installed as it is: where to, and from where. */
const FILES: Record<string, string> = {
  // The same in every version: at an upgrade, dpkg would ask each administrator about a new one.
  [CONFIGURATION]: "contrib/debian/sftdyn.toml",
  "etc/fail2ban/filter.d/sftdyn.conf": "contrib/fail2ban/filter.d/sftdyn.conf",
  "usr/share/bash-completion/completions/sftdyn": "contrib/completions/sftdyn.bash",
  "usr/share/zsh/vendor-completions/_sftdyn": "contrib/completions/_sftdyn",
  "usr/share/fish/vendor_completions.d/sftdyn.fish": "contrib/completions/sftdyn.fish",
  "usr/share/doc/sftdyn/copyright": "contrib/debian/copyright",
  "usr/share/lintian/overrides/sftdyn": "contrib/debian/lintian-overrides",
};
/** What README.md names by paths that begin in its own folder, which is this one in the package. */
const DOCUMENTATION = "usr/share/doc/sftdyn";
const DOCUMENTS = [
  "README.md",
  "sftdyn.toml.example",
  "contrib/clients.md",
  "contrib/hooks/clients-file.js",
  "contrib/hooks/sftdyn-hooks.d.ts",
  "contrib/hooks/txt-record.js",
  "contrib/hooks/web-service.js",
  "contrib/sftdynupdate.service",
  "contrib/sftdynupdate.timer",
];

export interface PackageOptions {
  /** The file. */
  executable: string;
  /** Rust's name of the architecture and system, as `deno compile` takes it. */
  target: string;
  /** The folder where the package is put. */
  folder: string;
  version?: string;
  /** xz's, from 0, which is fast, to 9. */
  level?: number;
}

async function main(args: string[]): Promise<number> {
  let target: string | undefined, isTest = false;
  for (const left = [...args]; left.length > 0;) {
    const word = left.shift();
    if (word === "--test-runtime") isTest = true;
    else if (word === "--target" && left.length > 0) target = left.shift();
    else {
      console.error("usage: deno task package [--target TARGET] [--test-runtime]");
      return 2;
    }
  }
  const executable = `${DIST}/${target === undefined ? "sftdyn" : `sftdyn-${target}`}`;
  try {
    await Deno.stat(executable);
  } catch {
    const build = `deno task build${target === undefined ? "" : ` --target ${target}`}`;
    console.error(`not packed: there is no ${executable}: \`${build}\` makes it`);
    return 1;
  }
  try {
    if (!isTest && await isTestBuild(executable)) {
      console.error("not packed: it is an executable to test with; --test-runtime packs it");
      return 1;
    }
    const file = await makePackage({
      executable,
      target: target ?? Deno.build.target,
      folder: DIST,
    });
    console.log(`dist/${file.slice(DIST.length + 1)}`);
    return 0;
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    console.error(`not packed: ${error.message}`);
    return 1;
  }
}

/** Whether an executable was made with --test-runtime, which it has written in it. */
export async function isTestBuild(executable: string): Promise<boolean> {
  const { buffer } = await Deno.readFile(executable);
  const { Buffer } = await import("node:buffer");
  return Buffer.from(buffer).includes('"isTest":true');
}

/** The name of the package's file. */
export function packageName(target: string, version = project.version): string {
  const architecture = ARCHITECTURES[target.split("-")[0]!];
  if (architecture === undefined || !target.endsWith("-linux-gnu")) {
    throw new Error(`Debian has no architecture for ${target}`);
  }
  return `sftdyn_${version}_${architecture}.deb`;
}

/**
 * Makes the package, with the time of the commit or of SOURCE_DATE_EPOCH; its path.
 *
 * @throws {Error} a file or dpkg-deb is missing, or Debian does not know the architecture
 */
export async function makePackage(
  { executable, target, folder, version = project.version, level = 6 }: PackageOptions,
): Promise<string> {
  const name = packageName(target, version);
  const architecture = /_(\w+)\.deb$/.exec(name)![1]!;
  const time = Number(
    Deno.env.get("SOURCE_DATE_EPOCH") ?? await git("log", "-1", "--format=%ct") ?? 0,
  );
  const maintainer = await git("log", "-1", "--format=%an <%ae>") ?? "nobody <nobody@localhost>";
  const tree = new Tree(
    await Deno.makeTempDir({ prefix: "sftdyn-package-" }),
    new Date(time * 1000),
  );
  try {
    await tree.add("usr/bin/sftdyn", await Deno.readFile(executable), 0o755);
    for (const [to, from] of Object.entries(FILES)) {
      await tree.add(to, await source(from), to === CONFIGURATION ? 0o640 : 0o644);
    }
    for (const name of DOCUMENTS) await tree.add(`${DOCUMENTATION}/${name}`, await source(name));
    // It would ban at fail2ban's next start.
    const jail = await source("contrib/fail2ban/jail.d/sftdyn.conf");
    await tree.add(JAIL, jail.replace("enabled = true", "enabled = false"));
    const unit = (await source("sftdyn.service")).replaceAll("/usr/local/bin/", "/usr/bin/")
      .replace(/^# systemd unit: .*\n\n/, "");
    await tree.add("usr/lib/systemd/system/sftdyn.service", unit);
    await tree.add("usr/share/man/man8/sftdyn.8.gz", gzip(await source("contrib/sftdyn.8")));
    const changelog = `sftdyn (${version}) unstable; urgency=medium\n\n` +
      `  * See NEWS.gz.\n\n -- ${maintainer}  ${mailDate(time)}\n`;
    await tree.add(`${DOCUMENTATION}/changelog.gz`, gzip(changelog));
    await tree.add(`${DOCUMENTATION}/NEWS.gz`, gzip(await source("CHANGELOG.md")));

    const { conffiles, md5sums, size } = tree;
    await tree.add(
      "DEBIAN/control",
      `Package: sftdyn
Version: ${version}
Architecture: ${architecture}
Maintainer: ${maintainer}
Installed-Size: ${Math.ceil(size / 1024)}
Depends: adduser, bind9-dnsutils, libc6 (>= 2.31), libgcc-s1, procps
Recommends: bind9
Suggests: fail2ban
Section: net
Priority: optional
Description: dynamic DNS server for your own nameserver
 A router or a curl line requests a secret URL, and sftdyn puts the address that
 the request came from into the zone of the BIND next to it, with nsupdate. It
 works with every nameserver that takes RFC 2136 updates.
`,
    );
    await tree.add("DEBIAN/conffiles", conffiles);
    await tree.add("DEBIAN/md5sums", md5sums);
    for (const script of SCRIPTS) {
      await tree.add(`DEBIAN/${script}`, await source(`contrib/debian/${script}`), 0o755);
    }
    const file = `${folder}/${name}`;
    const { success, stderr } = await new Deno.Command("dpkg-deb", {
      // With threads, the bytes depend on their number.
      args: [
        "--root-owner-group",
        "-Zxz",
        `-z${level}`,
        "--threads-max=1",
        "--build",
        tree.root,
        file,
      ],
      env: { SOURCE_DATE_EPOCH: `${time}` },
    }).output();
    if (!success) throw new Error(`dpkg-deb: ${new TextDecoder().decode(stderr).trim()}`);
    return file;
  } finally {
    await Deno.remove(tree.root, { recursive: true });
  }
}

/** The files of the package, in a folder. */
class Tree {
  conffiles = "";
  md5sums = "";
  size = 0;

  constructor(readonly root: string, readonly date: Date) {
    Deno.chmodSync(root, 0o755);
  }

  async add(path: string, content: string | Uint8Array, mode = 0o644): Promise<void> {
    const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
    const file = `${this.root}/${path}`;
    for (let i = 0; (i = path.indexOf("/", i + 1)) > 0;) {
      const folder = `${this.root}/${path.slice(0, i)}`;
      await Deno.mkdir(folder, { recursive: true });
      await Deno.chmod(folder, 0o755);
    }
    await Deno.writeFile(file, bytes);
    await Deno.chmod(file, mode);
    await Deno.utime(file, this.date, this.date);
    if (path.startsWith("etc/")) this.conffiles += `/${path}\n`;
    this.md5sums += `${createHash("md5").update(bytes).digest("hex")}  ${path}\n`;
    this.size += bytes.length;
  }
}

async function source(name: string): Promise<string> {
  return await Deno.readTextFile(`${ROOT}/${name}`);
}

/** As `gzip -9n`: without name and time. */
function gzip(text: string): Uint8Array {
  return gzipSync(text, { level: 9 });
}

/** As `date -R` says it, in UTC. */
function mailDate(time: number): string {
  return new Date(time * 1000).toUTCString().replace("GMT", "+0000");
}

if (import.meta.main) Deno.exit(await main(Deno.args));
