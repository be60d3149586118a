import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { CertificateError, loadCertificate } from "../../lib/http/certificate.ts";

let folder: string;

async function openssl(line: string): Promise<void> {
  const { success, stderr } = await new Deno.Command("openssl", {
    args: line.split(" "),
    cwd: folder,
    stdin: "null",
  }).output();
  assert(success, `openssl ${line}: ${new TextDecoder().decode(stderr)}`);
}

/** Makes NAME.pem and NAME.key, a certificate that signs itself. */
async function selfSign(name: string, options: string): Promise<void> {
  await openssl(`req -x509 -nodes -keyout ${name}.key -out ${name}.pem ${options}`);
}

function load(cert: string, key: string) {
  return loadCertificate(`${folder}/${cert}`, `${folder}/${key}`);
}

async function concat(to: string, ...from: string[]): Promise<void> {
  const texts = await Promise.all(from.map((name) => Deno.readTextFile(`${folder}/${name}`)));
  await Deno.writeTextFile(`${folder}/${to}`, texts.join(""));
}

const EC = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1";
const SAN = "-subj /CN=dyn.example -addext subjectAltName=DNS:dyn.example,IP:192.0.2.1";

Deno.test.beforeAll(async () => {
  folder = await Deno.makeTempDir();
  await Promise.all([
    selfSign("rsa", `-newkey rsa:2048 -days 1337 ${SAN}`),
    selfSign("ec", `${EC} -days 30 ${SAN}`),
    selfSign("plain", `${EC} -days 30 -subj /CN=plain.example`),
    Deno.writeTextFile(`${folder}/text`, "SECRET\n"),
    Deno.writeTextFile(`${folder}/empty`, ""),
    Deno.writeTextFile(
      `${folder}/broken`,
      "-----BEGIN CERTIFICATE-----\nSECRET\n-----END CERTIFICATE-----\n" +
        "-----BEGIN PRIVATE KEY-----\nSECRET\n-----END PRIVATE KEY-----\n",
    ),
    Deno.writeFile(`${folder}/binary`, new Uint8Array([0x30, 0x82, 0, 1])),
  ]);
});

Deno.test.afterAll(() => Deno.remove(folder, { recursive: true }));

Deno.test("loadCertificate() reads RSA and EC certificates with their dates and names", async () => {
  for (const [name, days] of [["rsa", 1337], ["ec", 30]] as const) {
    const { cert, key, notBefore, notAfter, names } = await load(`${name}.pem`, `${name}.key`);
    assertEquals(cert, await Deno.readTextFile(`${folder}/${name}.pem`));
    assertEquals(key, await Deno.readTextFile(`${folder}/${name}.key`));
    assertEquals(notAfter.getTime() - notBefore.getTime(), days * 24 * 60 * 60 * 1000);
    assert(notBefore <= new Date() && notAfter > new Date());
    assertEquals(names, "DNS:dyn.example, IP Address:192.0.2.1");
  }
});

Deno.test("loadCertificate() names a certificate without alternative names by its subject", async () => {
  assertEquals((await load("plain.pem", "plain.key")).names, "CN=plain.example");
});

Deno.test("loadCertificate() takes the forms that OpenSSL writes", async () => {
  await openssl("rsa -in rsa.key -traditional -out rsa1.key");
  await load("rsa.pem", "rsa1.key");
  await openssl("ec -in ec.key -out ec1.key");
  await load("ec.pem", "ec1.key");
  await openssl("ecparam -name prime256v1 -genkey -out params.key");
  await openssl(`req -x509 -new -key params.key -out params.pem -days 30 ${SAN}`);
  await load("params.pem", "params.key");
  await openssl("x509 -in ec.pem -text -out text.pem");
  await load("text.pem", "ec.key");
});

Deno.test("loadCertificate() reads a chain", async () => {
  await concat("chain.pem", "ec.pem", "rsa.pem");
  assertEquals((await load("chain.pem", "ec.key")).names, "DNS:dyn.example, IP Address:192.0.2.1");
});

Deno.test("loadCertificate() finds the certificate and the key in one file, in either order", async () => {
  await concat("both.pem", "ec.pem", "ec.key");
  await load("both.pem", "both.pem");
  await concat("reversed.pem", "ec.key", "ec.pem");
  await load("reversed.pem", "reversed.pem");
});

Deno.test("loadCertificate() refuses version 1, which openssl x509 -signkey makes, with a way out", async () => {
  await openssl("req -new -key rsa.key -subj /CN=dyn.example -out v1.csr");
  await openssl("x509 -req -in v1.csr -signkey rsa.key -days 1337 -out v1.pem");
  const error = await assertRejects(() => load("v1.pem", "rsa.key"), CertificateError, "X.509 v1");
  assertEquals([error.setting, error.name], ["cert", "CertificateError"]);
  const [command] = /openssl .*$/.exec(error.message)!;
  // What it advises works.
  await openssl(command.replace("openssl ", "").replace("rsa:4096", "rsa:2048"));
  await load("fullchain.pem", "privkey.pem");
});

Deno.test("loadCertificate() says which file is wrong, and nothing of what it holds", async () => {
  await openssl("pkcs8 -topk8 -in ec.key -out encrypted.key -passout pass:SECRET");
  await openssl("x509 -in ec.pem -outform DER -out der.pem");
  await openssl("rsa -in rsa.key -aes128 -traditional -passout pass:SECRET -out encrypted1.key");
  const table: [string, string, "cert" | "key", RegExp][] = [
    ["none.pem", "ec.key", "cert", /^cannot read ".*\/none\.pem": no such file$/],
    ["ec.pem", "none.key", "key", /^cannot read ".*\/none\.key": no such file$/],
    [".", "ec.key", "cert", /directory/],
    ["binary", "ec.key", "cert", /not a text file/],
    ["der.pem", "ec.key", "cert", /not a text file/],
    ["text", "ec.key", "cert", /text" holds no certificate in PEM form$/],
    ["empty", "ec.key", "cert", /no certificate/],
    ["broken", "ec.key", "cert", /no certificate/],
    ["ec.key", "ec.key", "cert", /no certificate/],
    ["ec.pem", "ec.pem", "key", /no unencrypted private key/],
    ["ec.pem", "text", "key", /no unencrypted private key/],
    ["ec.pem", "empty", "key", /no unencrypted private key/],
    ["ec.pem", "broken", "key", /no unencrypted private key/],
    ["ec.pem", "encrypted.key", "key", /no unencrypted private key/],
    ["rsa.pem", "encrypted1.key", "key", /no unencrypted private key/],
    ["ec.pem", "plain.key", "key", /plain\.key" is not the key of ".*ec\.pem"$/],
    ["ec.pem", "rsa.key", "key", /is not the key of/],
    ["rsa.pem", "ec.key", "key", /is not the key of/],
  ];
  for (const [cert, key, setting, message] of table) {
    const error = await assertRejects(() => load(cert, key), CertificateError);
    assertMatch(error.message, message);
    assert(!error.message.includes("SECRET") && !error.message.includes("BEGIN"), error.message);
    assertEquals([cert, key, error.setting], [cert, key, setting]);
  }
});

Deno.test("loadCertificate() lets TLS have the last word", async () => {
  // A second certificate in the chain that is none: only TLS looks at it.
  await concat("bad_chain.pem", "ec.pem", "broken");
  const error = await assertRejects(() => load("bad_chain.pem", "ec.key"), CertificateError);
  assertEquals(error.setting, "cert");
  assertMatch(error.message, /bad_chain\.pem" cannot be used for TLS: /);
});
