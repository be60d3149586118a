/** A new update key, ready to be pasted. */

import { digest } from "./clients.ts";
import { UNKNOWN_URL } from "./server_url.ts";

/** 160 bits: 20 octets, 40 hex digits. */
const OCTETS = 20;

/** A random key of 160 bits in hex, which no client escapes. */
export function newKey(random = crypto.getRandomValues.bind(crypto)): string {
  return random(new Uint8Array(OCTETS)).toHex();
}

export interface KeyText {
  /** What may be appended to sftdyn.toml. */
  file: string;
  /** What only the person who asked for the key may see. */
  person: string;
}

export interface KeyTextOptions {
  host?: string | undefined;
  /** Where the server is, without a slash at the end. */
  url?: string;
  /** Whether the file gets the digest alone. */
  isDigest?: boolean;
}

/** The lines that tell an administrator where a new key goes. What is not TOML is a comment. */
export function keyText(
  key: string,
  { host = "host.dyn.example", url = UNKNOWN_URL, isDigest = false }: KeyTextOptions = {},
): KeyText {
  const device = `# on the device: curl -fsS ${url}/${key}\n`;
  // A comment comes first: the file's last line may have no end.
  const line = (key: string) => `# under [clients]:\n"${key}" = "${host}"\n`;
  if (isDigest) return { file: line(`sha256:${digest(key)}`), person: device };
  return { file: line(key) + device, person: "" };
}

/** The lines that tell an administrator what to type into a router that speaks dyndns2. */
export function routerText(
  key: string,
  { host = "host.dyn.example", url = UNKNOWN_URL }: Omit<KeyTextOptions, "isDigest"> = {},
): string {
  const update = `${url}/nic/update?hostname=${host}`;
  const client = `{ host = "${host}", address = "request" }`;
  return `# in sftdyn.toml, above [clients]:
dyndns2 = true

# in [clients]; with address = "request" the router may say which addresses it has:
"${key}" = ${client}

# or, so that the file does not hold the key itself:
"sha256:${digest(key)}" = ${client}

# in the router (contrib/clients.md has what else some need):
provider:   custom, user-defined, DynDNS or dyndns2
server:     ${url.replace(/^https?:\/\//, "")}
update URL: ${update}
host name:  ${host}
user name:  sftdyn (or anything else)
password:   ${key}

# to try it:
curl -fsS -u sftdyn:${key} "${update}"
`;
}
