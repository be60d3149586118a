/** The TLS certificate and its key: read, and proved to be a pair that TLS can use. */

import { FileError, type ReadFile, readText } from "../file.ts";

export interface Certificate {
  /** Where certificate and key were read. */
  readonly files: readonly [cert: string, key: string];
  /** PEM: the certificate and those that sign it. */
  readonly cert: string;
  /** PEM. */
  readonly key: string;
  readonly notBefore: Date;
  readonly notAfter: Date;
  /** Names that it is valid for, as OpenSSL prints them (`DNS:a.example, IP Address:…`). */
  readonly names: string;
}

/** A certificate or key that cannot be used; the message says why and what would be right. */
export class CertificateError extends Error {
  override name = "CertificateError";
  constructor(readonly setting: "cert" | "key", message: string) {
    super(message);
  }
}

/**
 * Reads a certificate (chain) and its private key, both PEM.
 *
 * @throws {CertificateError} one cannot be read or parsed, they do not belong
 * together, or the certificate is of a kind that TLS here does not take
 */
export async function loadCertificate(
  certFile: string,
  keyFile: string,
  readFile?: ReadFile,
): Promise<Certificate> {
  // Much of Node comes along: who serves no HTTPS starts sooner without it.
  const { createPrivateKey, X509Certificate } = await import("node:crypto");
  const cert = await read("cert", certFile, readFile);
  const key = await read("key", keyFile, readFile);
  const parsed = parse(
    "cert",
    certFile,
    "certificate",
    () => new X509Certificate(block(cert, "CERTIFICATE")),
  );
  if (isVersion1(parsed.raw)) {
    throw new CertificateError(
      "cert",
      `"${certFile}" is an X.509 v1 certificate, which TLS no longer takes; make a v3 one: ` +
        "openssl req -x509 -newkey rsa:4096 -nodes -days 1337 -keyout privkey.pem " +
        "-out fullchain.pem -subj /CN=dyn.example -addext subjectAltName=DNS:dyn.example",
    );
  }
  const privateKey = parse(
    "key",
    keyFile,
    "unencrypted private key",
    () => createPrivateKey(block(key, "(?:RSA |EC )?PRIVATE KEY")),
  );
  if (!parsed.checkPrivateKey(privateKey)) {
    throw new CertificateError("key", `"${keyFile}" is not the key of "${certFile}"`);
  }
  tryTls(cert, key, certFile);
  return {
    files: [certFile, keyFile],
    cert,
    key,
    notBefore: new Date(parsed.validFrom),
    notAfter: new Date(parsed.validTo),
    names: parsed.subjectAltName ?? parsed.subject,
  };
}

/** Whether two are the same, wherever they were read. */
export function isSameCertificate(a: Certificate, b: Certificate): boolean {
  return a.cert === b.cert && a.key === b.key;
}

async function read(setting: "cert" | "key", file: string, readFile?: ReadFile): Promise<string> {
  try {
    return await readText(file, readFile);
  } catch (error) {
    if (!(error instanceof FileError)) throw error;
    throw new CertificateError(setting, `cannot read "${file}": ${error.message}`);
  }
}

function parse<T>(setting: "cert" | "key", file: string, what: string, run: () => T): T {
  try {
    return run();
  } catch {
    // The library's message may quote the file.
    throw new CertificateError(setting, `"${file}" holds no ${what} in PEM form`);
  }
}

/** The first PEM block of this kind: one file may hold certificates and the key. */
function block(pem: string, label: string): string {
  return new RegExp(`-----BEGIN ${label}-----[^-]*-----END ${label}-----`).exec(pem)![0];
}

/**
 * Whether a DER certificate is of version 1: its TBSCertificate does not begin
 * with the explicit version that later ones have (RFC 5280, section 4.1).
 */
function isVersion1(der: Uint8Array): boolean {
  const headerLength = (at: number) => 2 + (der[at + 1]! < 0x80 ? 0 : der[at + 1]! & 0x7f);
  const tbs = headerLength(0);
  return der[tbs + headerLength(tbs)] !== 0xa0;
}

/** TLS has the last word on what it takes; a listener that nobody can know asks it. */
function tryTls(cert: string, key: string, certFile: string): void {
  try {
    Deno.listenTls({ hostname: "127.0.0.1", port: 0, cert, key }).close();
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new CertificateError("cert", `"${certFile}" cannot be used for TLS: ${reason}`);
  }
}
