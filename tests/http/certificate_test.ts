import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { CertificateError, loadCertificate } from "../../lib/http/certificate.ts";
import { run } from "../../tools/program.ts";
import { V1_CERTIFICATE, V1_KEY } from "../v1_certificate.ts";

let folder: string;

async function openssl(line: string): Promise<void> {
  const { code, stderr } = await run(["openssl", ...line.split(" ")], { cwd: folder });
  assert(code === 0, `openssl ${line}: ${stderr}`);
}

/** Makes NAME.pem and NAME.key, a self-signed certificate. */
async function selfSign(name: string, options: string): Promise<void> {
  await openssl(`req -x509 -nodes -keyout ${name}.key -out ${name}.pem ${options}`);
}

/** Makes NAME.pem and NAME.key, issued by ISSUER. */
async function sign(name: string, subject: string, issuer: string, extension: string) {
  await openssl(`req -nodes ${EC} -keyout ${name}.key -out ${name}.csr -subj ${subject}`);
  await Deno.writeTextFile(`${folder}/${name}.ext`, `${extension}\n`);
  await openssl(
    `x509 -req -in ${name}.csr -CA ${issuer}.pem -CAkey ${issuer}.key -set_serial 1 -days 30 ` +
      `-extfile ${name}.ext -out ${name}.pem`,
  );
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

Deno.test("loadCertificate() accepts the forms that OpenSSL writes", async () => {
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

Deno.test("loadCertificate() finds where a chain lacks a certificate", async () => {
  await selfSign("root", `${EC} -days 30 -subj /O=Test/CN=root`);
  // The same name, but another key, as after a renewal.
  await selfSign("impostor", `${EC} -days 30 -subj /O=Test/CN=intermediate`);
  const ca = "basicConstraints=critical,CA:TRUE\nsubjectKeyIdentifier=hash";
  await sign("intermediate", "/O=Test/CN=intermediate", "root", ca);
  await sign("issuing", "/CN=issuing", "intermediate", ca);
  const leaf = "subjectAltName=DNS:dyn.example\nauthorityKeyIdentifier=keyid";
  await sign("leaf", "/CN=dyn.example", "issuing", leaf);
  await sign("direct", "/CN=dyn.example", "intermediate", leaf);
  await selfSign("p521", `-newkey ec -pkeyopt ec_paramgen_curve:P-521 -days 30 -subj /CN=p521`);
  await selfSign("usage", `${EC} -days 30 -subj /CN=u -addext keyUsage=digitalSignature`);
  await sign("by521", "/CN=dyn.example", "p521", leaf);
  await sign("own", "/CN=dyn.example", "root", leaf);

  const byIssuing = { subject: "CN=dyn.example", issuer: "CN=issuing" };
  const byIntermediate = (subject: string) => ({ subject, issuer: "O=Test, CN=intermediate" });
  const table: [chain: string, gap: { subject: string; issuer: string } | undefined][] = [
    ["ec", undefined],
    ["usage", undefined],
    ["direct intermediate", undefined],
    ["direct intermediate root", undefined],
    ["leaf issuing intermediate", undefined],
    ["leaf issuing intermediate root", undefined],
    ["own root", undefined],
    // What follows a root does not matter.
    ["ec intermediate", undefined],
    ["own root issuing", undefined],
    // The leaf alone; of one's own CA, too.
    ["direct", byIntermediate("CN=dyn.example")],
    ["own", { subject: "CN=dyn.example", issuer: "O=Test, CN=root" }],
    // One in the middle is missing, or not in its place.
    ["direct root", byIntermediate("CN=dyn.example")],
    ["direct root intermediate", byIntermediate("CN=dyn.example")],
    ["leaf intermediate root", byIssuing],
    ["leaf intermediate issuing", byIssuing],
    ["leaf issuing root", byIntermediate("CN=issuing")],
    // It is another's.
    ["direct impostor", byIntermediate("CN=dyn.example")],
    ["direct direct intermediate", byIntermediate("CN=dyn.example")],
    // Keys of which Deno cannot verify a signature.
    ["p521", undefined],
    ["by521 p521", undefined],
  ];
  for (const [chain, gap] of table) {
    const names = chain.split(" ");
    await concat("gap.pem", ...names.map((name) => `${name}.pem`));
    const { chainGap } = await load("gap.pem", `${names[0]}.key`);
    assertEquals([chain, chainGap], [chain, gap]);
  }
});

Deno.test("loadCertificate() refuses a chain in which something is no certificate", async () => {
  await Deno.writeTextFile(
    `${folder}/zeros.pem`,
    "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
  );
  await concat("zeros_chain.pem", "plain.pem", "zeros.pem");
  const error = await assertRejects(() => load("zeros_chain.pem", "plain.key"), CertificateError);
  assertEquals(error.setting, "cert");
  assertMatch(error.message, /zeros_chain\.pem" /);
});

Deno.test("loadCertificate() finds the certificate and the key in one file, in either order", async () => {
  await concat("both.pem", "ec.pem", "ec.key");
  await load("both.pem", "both.pem");
  await concat("reversed.pem", "ec.key", "ec.pem");
  await load("reversed.pem", "reversed.pem");
});

Deno.test("loadCertificate() refuses version 1, which old recipes make, and says how to make another", async () => {
  await Deno.writeTextFile(`${folder}/v1.pem`, V1_CERTIFICATE);
  await Deno.writeTextFile(`${folder}/v1.key`, V1_KEY);
  const error = await assertRejects(() => load("v1.pem", "v1.key"), CertificateError, "X.509 v1");
  assertEquals([error.setting, error.name], ["cert", "CertificateError"]);
  const [command] = /openssl .*$/.exec(error.message)!;
  // What it advises works.
  await openssl(command.replace("openssl ", ""));
  assertEquals((await load("fullchain.pem", "privkey.pem")).names, "DNS:dyn.example");
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

Deno.test("loadCertificate() lets TLS itself try the certificate", async () => {
  await concat("bad_chain.pem", "ec.pem", "broken");
  const error = await assertRejects(() => load("bad_chain.pem", "ec.key"), CertificateError);
  assertEquals(error.setting, "cert");
  assertMatch(error.message, /bad_chain\.pem" cannot be used for TLS: /);
});
