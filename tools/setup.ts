/**
 * The programs that the demo and the tests run for real: found, or installed
 * from Debian's packages without starting any service that they bring.
 */

interface Package {
  /** The package that has it, or several with spaces between, on each family of systems. */
  debian: string;
  fedora: string;
  arch: string;
  /** A module that it must have, which `--list-modules` lists. */
  module?: string;
}

interface Program extends Package {
  name: string;
}

const PROGRAMS = {
  named: { debian: "bind9", fedora: "bind", arch: "bind" },
  nsupdate: { debian: "bind9-dnsutils", fedora: "bind-utils", arch: "bind" },
  dig: { debian: "bind9-dnsutils", fedora: "bind-utils", arch: "bind" },
  rndc: { debian: "bind9-utils", fedora: "bind", arch: "bind" },
  wrk: { debian: "wrk", fedora: "wrk", arch: "wrk" },
  curl: { debian: "curl", fedora: "curl", arch: "curl" },
  openssl: { debian: "openssl", fedora: "openssl", arch: "openssl" },
  ip: { debian: "iproute2", fedora: "iproute", arch: "iproute2" },
  ss: { debian: "iproute2", fedora: "iproute", arch: "iproute2" },
  bwrap: { debian: "bubblewrap", fedora: "bubblewrap", arch: "bubblewrap" },
  "systemd-analyze": { debian: "systemd", fedora: "systemd", arch: "systemd" },
  setpriv: { debian: "util-linux", fedora: "util-linux", arch: "util-linux" },
  "fail2ban-regex": { debian: "fail2ban", fedora: "fail2ban-server", arch: "fail2ban" },
  mandoc: { debian: "mandoc", fedora: "mandoc", arch: "mandoc" },
  zsh: { debian: "zsh", fedora: "zsh", arch: "zsh" },
  fish: { debian: "fish", fedora: "fish", arch: "fish" },
  unshare: { debian: "util-linux", fedora: "util-linux", arch: "util-linux" },
  faketime: { debian: "faketime", fedora: "libfaketime", arch: "libfaketime" },
  knotd: { debian: "knot", fedora: "knot", arch: "knot" },
  knotc: { debian: "knot", fedora: "knot", arch: "knot" },
  pdns_server: {
    debian: "pdns-server pdns-backend-sqlite3",
    fedora: "pdns pdns-backend-sqlite",
    arch: "powerdns",
    module: "gsqlite3",
  },
  pdnsutil: { debian: "pdns-server", fedora: "pdns", arch: "powerdns" },
  nginx: { debian: "nginx-light", fedora: "nginx-core", arch: "nginx" },
  haproxy: { debian: "haproxy", fedora: "haproxy", arch: "haproxy" },
  caddy: { debian: "caddy", fedora: "caddy", arch: "caddy" },
  // ddclient does HTTPS only with this module.
  ddclient: {
    debian: "ddclient libio-socket-ssl-perl",
    fedora: "ddclient",
    arch: "ddclient",
  },
  inadyn: { debian: "inadyn", fedora: "inadyn", arch: "inadyn" },
  // Debian's program without the service.
  apache2: { debian: "apache2-bin", fedora: "httpd", arch: "apache" },
  jq: { debian: "jq", fedora: "jq", arch: "jq" },
  promtool: { debian: "prometheus", fedora: "prometheus", arch: "prometheus" },
  lintian: { debian: "lintian", fedora: "lintian", arch: "lintian" },
  debootstrap: { debian: "debootstrap", fedora: "debootstrap", arch: "debootstrap" },
  chromium: { debian: "chromium", fedora: "chromium", arch: "chromium" },
} as const satisfies Record<string, Package>;

export type ProgramName = keyof typeof PROGRAMS;

/** What the main job needs. */
export const DEMO_PROGRAMS: ProgramName[] = ["named", "nsupdate", "dig", "curl", "openssl"];
export const BENCH_PROGRAMS: ProgramName[] = [...DEMO_PROGRAMS, "rndc", "wrk"];
/** Only for tests that a variable asks for: of the package, and in a browser. */
const ASKED_PROGRAMS = ["debootstrap", "lintian", "chromium"];
export const TEST_PROGRAMS = (Object.keys(PROGRAMS) as ProgramName[])
  .filter((name) => !ASKED_PROGRAMS.includes(name));

/** How programs are called elsewhere. */
const OTHER_NAMES: Record<string, string> = { apache2: "httpd" };
const SIGNALS = ["SIGINT", "SIGTERM"] as const;
/** What packages bring besides programs. */
const SERVICES: Record<string, string> = {
  bind9: "named.service",
  caddy: "caddy.service",
  ddclient: "ddclient.service",
  fail2ban: "fail2ban.service",
  haproxy: "haproxy.service",
  inadyn: "inadyn.service",
  knot: "knot.service",
  "nginx-light": "nginx.service",
  "pdns-server": "pdns.service",
  prometheus: "prometheus.service",
};
/** Packages that restart the service of another one (its postinst, "triggered"). */
const RESTARTING = ["pdns-backend-sqlite3"];
const POLICY = "/usr/sbin/policy-rc.d";

/** A program is missing and cannot be installed; the message says what to do. */
export class SetupError extends Error {
  override name = "SetupError";
}

/** The path of a program, looked for where servers' programs are too, or undefined. */
export async function findProgram(name: string): Promise<string | undefined> {
  const path = (Deno.env.get("PATH") ?? "").split(":");
  for (const folder of [...path, "/usr/local/sbin", "/usr/sbin", "/sbin"]) {
    try {
      const file = `${folder || "."}/${name}`;
      const { isFile, mode } = await Deno.stat(file);
      if (isFile && ((mode ?? 0) & 0o111) !== 0) return file;
    } catch {
      // Not in this folder.
    }
  }
  const other = OTHER_NAMES[name];
  return other === undefined ? undefined : await findProgram(other);
}

/**
 * Makes sure that these programs are there.
 *
 * @throws {SetupError} one is missing, and this user cannot install it here
 */
export async function ensurePrograms(names: ProgramName[]): Promise<void> {
  const missing = await missingPrograms(names);
  if (missing.length === 0) return;
  if (Deno.uid() !== 0 || await findProgram("apt-get") === undefined) throw missingError(missing);
  const packages = new Set(missing.flatMap(({ debian }) => debian.split(" ")));
  // What is installed may be in service, and an upgrade would restart it.
  for (const name of packages) if (await isInstalled(name)) packages.delete(name);
  if (packages.size > 0) {
    console.error(`installing from Debian: ${[...packages].join(" ")} (no service is started)`);
    await installPackages([...packages]);
  }
  const stillMissing = await missingPrograms(names);
  if (stillMissing.length > 0) throw missingError(stillMissing);
}

async function missingPrograms(names: ProgramName[]): Promise<Program[]> {
  const missing: Program[] = [];
  for (const name of names) {
    const program: Program = { name, ...PROGRAMS[name] };
    const file = await findProgram(name);
    if (file === undefined || !await hasModule(file, program.module)) missing.push(program);
  }
  return missing;
}

async function hasModule(file: string, module: string | undefined): Promise<boolean> {
  if (module === undefined) return true;
  const { said } = await finished(file, "--no-config", "--list-modules");
  return said.split("\n").includes(module);
}

function missingError(missing: Program[]): SetupError {
  return new SetupError(
    missing.map(({ name, debian, fedora, arch }) =>
      `missing program: ${name} (package ${debian} on Debian, ${fedora} on Fedora, ${arch} on Arch)`
    ).join("\n"),
  );
}

async function isInstalled(name: string): Promise<boolean> {
  const { success, said } = await finished(
    "dpkg-query",
    "--show",
    "--showformat=${db:Status-Status}",
    name,
  );
  return success && said === "installed";
}

/** @param packages none of them is installed yet */
async function installPackages(packages: string[]): Promise<void> {
  await run("apt-get", "update", "-qq");
  const install = () =>
    run("apt-get", "install", "-y", "-qq", "--no-install-recommends", ...packages);
  const services = packages.flatMap((name) => SERVICES[name] ?? []);
  // A nameserver that is in service here is not to be kept from its restart.
  if (services.length === 0 && !packages.some((name) => RESTARTING.includes(name))) {
    return await install();
  }
  const newServices = await notEnabled(services);
  // Ctrl-C ends apt-get, and with it this; what was forbidden must be allowed again first.
  const ignore = () => {};
  for (const signal of SIGNALS) Deno.addSignalListener(signal, ignore);
  const allowServices = await forbidServices();
  try {
    await install();
    // Without this they would start at the next boot.
    if (newServices.length > 0) await run("systemctl", "disable", "--quiet", ...newServices);
  } finally {
    await allowServices();
    for (const signal of SIGNALS) Deno.removeSignalListener(signal, ignore);
  }
}

/** Those that the next boot would not start: any other is somebody's. */
async function notEnabled(services: string[]): Promise<string[]> {
  if (await findProgram("systemctl") === undefined) return [];
  const results = await Promise.all(
    services.map((service) => finished("systemctl", "is-enabled", service)),
  );
  return services.filter((_, i) => !results[i]!.success);
}

/**
 * Until the returned function is called, Debian's maintainer scripts start no
 * service: that is what exit status 101 of policy-rc.d says (invoke-rc.d(8)).
 */
async function forbidServices(): Promise<() => Promise<void>> {
  const aside = `${POLICY}.before-sftdyn`;
  let had = true;
  try {
    await Deno.rename(POLICY, aside);
  } catch {
    had = false;
  }
  await Deno.writeTextFile(POLICY, "#!/bin/sh\nexit 101\n", { mode: 0o755 });
  return () => had ? Deno.rename(aside, POLICY) : Deno.remove(POLICY);
}

async function run(program: string, ...args: string[]): Promise<void> {
  const { success, said } = await finished(program, ...args);
  if (!success) throw new SetupError(`${program} ${args.join(" ")} failed:\n${said.trimEnd()}`);
}

/** Runs a program to its end; all that it said. */
async function finished(
  program: string,
  ...args: string[]
): Promise<{ success: boolean; said: string }> {
  const { success, stdout, stderr } = await new Deno.Command(program, {
    args,
    env: { DEBIAN_FRONTEND: "noninteractive" },
    stdin: "null",
  }).output();
  const decoder = new TextDecoder();
  return { success, said: decoder.decode(stdout) + decoder.decode(stderr) };
}
