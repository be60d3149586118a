/** The URL under which a configuration is served, as far as it says so. */

import type { Config } from "./config/config.ts";
import type { Endpoint } from "./endpoint.ts";
import { parseHostname } from "./hostname.ts";

/** What stands for what the configuration does not say. */
const UNKNOWN = { name: "SERVER", url: "https://SERVER" };

/** For a configuration that cannot be read: nothing but that is known. */
export const UNKNOWN_URL = UNKNOWN.url;

/** The URL without a slash at its end: HTTPS if there is, under the certificate's first name. */
export function serverUrl({ http, https, certificate }: Pick<Config, "http" | "https"> & {
  certificate?: Pick<NonNullable<Config["certificate"]>, "names"> | undefined;
}): string {
  const names = (certificate?.names ?? "").split(/[\n,] */).map((name) =>
    name.replace(/^DNS:/, "")
  );
  const name = names.find(isServerName) ?? UNKNOWN.name;
  const secure = https.find(isPublic), plain = http.find(isPublic);
  if (secure !== undefined) return `https://${hostOf(secure, name)}${portOf(secure, 443)}`;
  if (plain !== undefined) return `http://${hostOf(plain, UNKNOWN.name)}${portOf(plain, 80)}`;
  // A proxy stands in front of it.
  return UNKNOWN.url;
}

/** A certificate's name is better than an address. */
function hostOf({ hostname }: Endpoint, name: string): string {
  if (hostname === undefined || name !== UNKNOWN.name || /^(0\.0\.0\.0|::)$/.test(hostname)) {
    return name;
  }
  return hostname.includes(":") ? `[${hostname}]` : hostname;
}

function portOf({ port }: Endpoint, usual: number): string {
  return port === usual ? "" : `:${port}`;
}

function isPublic({ hostname }: Endpoint): boolean {
  return hostname === undefined || !/^(127\.|::1$)/.test(hostname);
}

function isServerName(name: string): boolean {
  try {
    return !parseHostname(name).startsWith("*");
  } catch {
    return false;
  }
}
