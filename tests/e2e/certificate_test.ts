/** The certificate while sftdyn runs: minutes and days pass fast for it, with libfaketime. */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { freePort } from "../../tools/named.ts";
import { curl, makeCertificate, PROGRAM, run, Sftdyn, until, withFolder } from "./sftdyn.ts";

const MINUTE = 60_000;
const DAY = 24 * 60 * MINUTE;
/** Of the certificates. */
const VALID_DAYS = 30;

/** Who runs it, and where it is for them. */
interface User {
  as: string[];
  program: readonly string[];
}

interface Started {
  program: Sftdyn;
  port: number;
}

/** Starts it with the certificate of a folder, as if on a later day, with time so many times as fast. */
async function start(
  folder: string,
  daysLater: number,
  rate: number,
  { as = [], program: command = PROGRAM }: Partial<User> = {},
): Promise<Started> {
  const port = freePort();
  const file = `${folder}/sftdyn.toml`;
  await Deno.writeTextFile(
    file,
    `https = "127.0.0.1:${port}"
cert = "cert.pem"
key = "key.pem"
[clients]
"0123456789abcdef" = "host.dyn.example"
`,
  );
  const { stdout } = await run(["faketime", "-m", "-f", "+0", "printenv", "LD_PRELOAD"]);
  // Only for the user that it runs as: libfaketime has a semaphore of its process, even behind exec.
  const env = [
    "env",
    `LD_PRELOAD=${stdout.trim()}`,
    `FAKETIME=+${daysLater}d x${rate}`,
    "NO_FAKE_STAT=1",
  ];
  const [first, ...more] = [...as, ...env, ...command];
  return { program: await Sftdyn.start(["-v", file], {}, [first!, ...more]), port };
}

/** Lines of the log that a pattern matches, with their time. */
function lines(log: string, pattern: RegExp): { time: number; line: string }[] {
  return log.split("\n").filter((line) => pattern.test(line))
    .map((line) => ({ time: Date.parse(line.split(" ")[0]!), line }));
}

const isRoot = Deno.uid() === 0;
const isExecutable = PROGRAM.length === 1;

/**
 * sftdyn as somebody who may not read every file. What Deno runs the source from may be
 * root's alone: then it is root without that right.
 */
async function unprivileged(folder: string): Promise<Partial<User>> {
  if (!isRoot) return {};
  if (!isExecutable) return { as: ["setpriv", "--bounding-set=-dac_override,-dac_read_search"] };
  const program = `${folder}/sftdyn`;
  await Deno.copyFile(PROGRAM[0], program);
  return {
    as: ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"],
    program: [program],
  };
}

Deno.test("a renewed key that cannot be read is one error, and is used once it can", async () => {
  await withFolder(async (folder) => {
    await Deno.chmod(folder, 0o755);
    await makeCertificate(folder);
    await Deno.chmod(`${folder}/key.pem`, 0o644);
    await Deno.copyFile(`${folder}/cert.pem`, `${folder}/old.pem`);
    const renewed = `${folder}/renewed`;
    await Deno.mkdir(renewed);
    await makeCertificate(renewed);
    await Deno.copyFile(`${renewed}/cert.pem`, `${folder}/new.pem`);
    // A minute of the program is a second.
    const { program, port } = await start(folder, 0, 60, await unprivileged(folder));
    const ask = async (certificate: string) => {
      const file = `${folder}/${certificate}.pem`;
      let answer = "";
      await until("an answer", async () => {
        try {
          answer = await curl("--cacert", file, `https://127.0.0.1:${port}/wrong`);
          return true;
        } catch (error) {
          // Its time for a request is short, too: ended, not refused for the certificate.
          if (/curl: \((35|52|56)\)/.test(String(error))) return false;
          throw error;
        }
      });
      return answer;
    };
    try {
      assertEquals(await ask("old"), "403 BADKEY");
      await Deno.chmod(`${renewed}/key.pem`, 0);
      for (const file of ["key.pem", "cert.pem"]) {
        await Deno.rename(`${renewed}/${file}`, `${folder}/${file}`);
      }
      const kept = / error: https keeps the previous certificate: .*key\.pem.*permission denied/i;
      await program.logged(kept);
      const { time } = lines(program.log(), kept)[0]!;
      await until("several more looks", async () => {
        assertEquals(await ask("old"), "403 BADKEY");
        return lines(program.log(), /unknown key/).some((each) => each.time > time + 3 * MINUTE);
      });
      assertEquals(program.count(/ error: /g), 1, program.log());
      assertEquals(program.count(/new certificate/g), 0);

      await Deno.chmod(`${folder}/key.pem`, 0o644);
      await program.logged(/https uses a new certificate, valid until [-\d]+\n/);
      assertEquals(await ask("new"), "403 BADKEY");
      assertEquals(program.count(/ error: /g), 1, program.log());
    } finally {
      assertEquals(await program.stop(), 0, program.log());
    }
  });
});

/** A day of the program is 7 seconds: three late, it still says the same. */
const FAST = 12_000;
const EXPIRY = /certificate ".*cert\.pem": it expire/;

/** What it says of the certificate's end until it has said so many lines. */
async function expiryLines(daysBefore: number, count: number) {
  let said: ReturnType<typeof lines> = [];
  let started = NaN;
  await withFolder(async (folder) => {
    await makeCertificate(folder, VALID_DAYS);
    const { program } = await start(folder, VALID_DAYS - daysBefore, FAST);
    try {
      await until(`${count} lines`, () => lines(program.log(), EXPIRY).length >= count);
      started = lines(program.log(), /listening on/)[0]!.time;
      said = lines(program.log(), EXPIRY).slice(0, count);
    } finally {
      assertEquals(await program.stop(), 0, program.log());
    }
  });
  return { started, said };
}

Deno.test("the certificate's end is a warning from 14 days ahead on, once a day", async () => {
  const { started, said: [first, second] } = await expiryLines(14.5, 2);
  assert(first!.time > started, "a warning at the start");
  assertMatch(first!.line, / warning: certificate .*: it expires on [-\d]+, in 13 days$/);
  assertMatch(second!.line, / warning: certificate .*: it expires on [-\d]+, in 12 days$/);
});

Deno.test("the certificate's end is a warning at the start, and an error when it has come", async () => {
  const { said } = await expiryLines(1.6, 4);
  assertMatch(said[0]!.line, / warning: certificate .*: it expires on [-\d]+, in 1 day$/);
  assertMatch(said[1]!.line, / warning: certificate .*: it expires on [-\d]+, in 0 days$/);
  assertMatch(said[2]!.line, / error: certificate .*: it expired on [-\d]+$/);
  assertMatch(said[3]!.line, / error: certificate .*: it expired on [-\d]+$/);
  assert(said[2]!.time - said[1]!.time < DAY, "it is said only a day later that it has expired");
  // The line's time is a moment after the look, which is minutes.
  assert(said[3]!.time - said[2]!.time > DAY / 2, "it is said more than once a day");
});
