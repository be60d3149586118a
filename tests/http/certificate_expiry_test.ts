import { assertEquals } from "@std/assert";
import type { Certificate } from "../../lib/http/certificate.ts";
import { CertificateExpiry } from "../../lib/http/certificate_expiry.ts";

const HOUR = 60 * 60 * 1000;

function certificateUntil(date: string, cert = "cert"): Certificate {
  return {
    files: ["c.pem", "k.pem"],
    cert,
    key: "key",
    notBefore: new Date(0),
    notAfter: new Date(date),
    names: "",
    chainGap: undefined,
  };
}

/** Polls every hour, and returns what was logged at which of them. */
function polled(from: string, hours: number, act: (expiry: CertificateExpiry, i: number) => void) {
  const lines: string[] = [];
  let now = new Date(from), i = 0;
  const log = {
    warning: (line: string) => lines.push(`${i} warning: ${line}`),
    error: (line: string) => lines.push(`${i} error: ${line}`),
  };
  const expiry = new CertificateExpiry({ log, now: () => now });
  for (; i < hours; i++) {
    act(expiry, i);
    now = new Date(now.getTime() + HOUR);
  }
  return lines;
}

const START = 'certificate "c.pem": it';

Deno.test("poll() says nothing with 14 days left, and warns daily from then on", () => {
  const certificate = certificateUntil("2026-12-01T12:00:00Z");
  const lines = polled("2026-11-17T10:00:00Z", 52, (expiry) => expiry.poll(certificate));
  assertEquals(lines, [
    `3 warning: ${START} expires on 2026-12-01, in 13 days`,
    `27 warning: ${START} expires on 2026-12-01, in 12 days`,
    `51 warning: ${START} expires on 2026-12-01, in 11 days`,
  ]);
});

Deno.test("poll() writes an error as soon as it has expired, and daily from then on", () => {
  const certificate = certificateUntil("2026-12-01T12:00:00Z");
  const lines = polled("2026-12-01T10:00:00Z", 30, (expiry) => expiry.poll(certificate));
  assertEquals(lines, [
    `0 warning: ${START} expires on 2026-12-01, in 0 days`,
    `2 error: ${START} expired on 2026-12-01`,
    `26 error: ${START} expired on 2026-12-01`,
  ]);
});

Deno.test("poll() says it anew of another certificate, and after reset()", () => {
  const lines = polled("2026-12-01T10:00:00Z", 4, (expiry, i) => {
    if (i === 3) expiry.reset();
    expiry.poll(certificateUntil("2026-12-02T10:00:00Z", i === 0 ? "first" : "second"));
  });
  assertEquals(lines.map((line) => line[0]), ["0", "1", "3"]);
});
