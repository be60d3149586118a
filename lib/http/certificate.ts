/** The TLS certificate and its key: read, and proven to be a pair that TLS can use. */

import type { X509Certificate } from "node:crypto";
import { errorMessage } from "../error_message.ts";
import { FileError, type ReadFile, readText } from "../file.ts";

export interface Certificate {
  /** Where certificate and key were read from. */
  readonly files: readonly [cert: string, key: string];
  /** PEM: the certificate, followed by those of its issuers. */
  readonly cert: string;
  /** PEM. */
  readonly key: string;
  readonly notBefore: Date;
  readonly notAfter: Date;
  /** Names that it is valid for, as OpenSSL prints them (`DNS:a.example, IP Address:…`). */
  readonly names: string;
  /** undefined if the file leaves out the root at most. */
  readonly chainGap: ChainGap | undefined;
}

/**
 * Where an issuer's certificate is not in the file, or not in its place. Clients
 * know roots, not intermediates (RFC 8446, section 4.4.2). A root that itself
 * issued the server's certificate looks the same.
 */
export interface ChainGap {
  /** Of the certificate after which it is missing. */
  readonly subject: string;
  readonly issuer: string;
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
 * together, or the certificate is of a kind that TLS here does not accept
 */
export async function loadCertificate(
  certFile: string,
  keyFile: string,
  readFile?: ReadFile,
): Promise<Certificate> {
  // It loads much of Node: without HTTPS, sftdyn starts faster.
  const { createPrivateKey, X509Certificate } = await import("node:crypto");
  const cert = await read("cert", certFile, readFile);
  const key = await read("key", keyFile, readFile);
  const parsed = parse(
    "cert",
    certFile,
    "certificate",
    () => new X509Certificate(block(cert, CERTIFICATE)),
  );
  if (isVersion1(parsed.raw)) {
    throw new CertificateError(
      "cert",
      `"${certFile}" is an X.509 v1 certificate, which TLS does not accept; create a v3 one: ` +
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 1337 " +
        "-keyout privkey.pem -out fullchain.pem -subj /CN=dyn.example -addext subjectAltName=DNS:dyn.example",
    );
  }
  const privateKey = parse(
    "key",
    keyFile,
    "unencrypted private key",
    () => createPrivateKey(block(key, PRIVATE_KEY)),
  );
  if (!parsed.checkPrivateKey(privateKey)) {
    throw new CertificateError("key", `"${keyFile}" is not the key of "${certFile}"`);
  }
  try {
    tryTls(cert, key);
  } catch (error) {
    throw new CertificateError(
      "cert",
      `"${certFile}" cannot be used for TLS: ${errorMessage(error)}`,
    );
  }
  const chain = parse(
    "cert",
    certFile,
    "chain of certificates",
    () => blocks(cert, CERTIFICATE).map((pem) => new X509Certificate(pem)),
  );
  return {
    files: [certFile, keyFile],
    cert,
    key,
    notBefore: new Date(parsed.validFrom),
    notAfter: new Date(parsed.validTo),
    names: parsed.subjectAltName ?? parsed.subject,
    chainGap: findGap(chain),
  };
}

/** Whether two are the same, wherever they were read from. */
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

const CERTIFICATE = "CERTIFICATE";
const PRIVATE_KEY = "(?:RSA |EC )?PRIVATE KEY";

/** The PEM blocks of this kind: one file may hold certificates and the key. */
function blocks(pem: string, label: string): string[] {
  return pem.match(new RegExp(`-----BEGIN ${label}-----[^-]*-----END ${label}-----`, "g")) ?? [];
}

function block(pem: string, label: string): string {
  return blocks(pem, label)[0]!;
}

/**
 * Each certificate must be issued by the next, until one is a root or the file
 * ends. By names and key identifiers: of some keys, Deno cannot verify a signature.
 */
function findGap(chain: readonly X509Certificate[]): ChainGap | undefined {
  for (const [i, certificate] of chain.entries()) {
    if (certificate.subject === certificate.issuer) return undefined;
    const next = chain[i + 1];
    // The last one's issuer may be a root, unless it is the server's own certificate.
    if (next === undefined && i > 0) return undefined;
    if (next === undefined || !certificate.checkIssued(next)) {
      return { subject: oneLineName(certificate.subject), issuer: oneLineName(certificate.issuer) };
    }
  }
}

/** A distinguished name, of which Node gives a part per line. */
function oneLineName(name: string): string {
  return name.replaceAll("\n", ", ");
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

/** TLS itself decides what it accepts: a listener that nobody knows of tries it, and throws if not. */
export function tryTls(cert: string, key: string): void {
  Deno.listenTls({ hostname: "127.0.0.1", port: 0, cert, key }).close();
}
