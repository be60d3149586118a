/** A new update key, ready to be pasted. */

import { digest } from "./clients.ts";

/** 160 bits: 20 octets, 40 hex digits. */
const OCTETS = 20;

/** A random key of 160 bits in hex, which no client escapes. */
export function newKey(random = crypto.getRandomValues.bind(crypto)): string {
  return random(new Uint8Array(OCTETS)).toHex();
}

/** The lines that tell an administrator where a new key goes. */
export function keyText(key: string, host = "host.dyn.example"): string {
  return `# in [clients] of sftdyn.toml:
"${key}" = "${host}"

# or, so that the file does not hold the key itself:
"sha256:${digest(key)}" = "${host}"

# on the device, with your server's name and port:
curl -fsS https://dyn.example:4443/${key}
`;
}

/** The lines that tell an administrator what to type into a router that speaks dyndns2. */
export function routerText(key: string, host = "host.dyn.example"): string {
  const client = `{ host = "${host}", address = "request" }`;
  return `# in sftdyn.toml, above [clients]:
dyndns2 = true

# in [clients]; with address = "request" the router may say which addresses it has:
"${key}" = ${client}

# or, so that the file does not hold the key itself:
"sha256:${digest(key)}" = ${client}

# in the router, with your server's name and port (contrib/clients.md has what else some need):
provider:   custom, user-defined, DynDNS or dyndns2
server:     dyn.example:4443
update URL: https://dyn.example:4443/nic/update?hostname=${host}
host name:  ${host}
user name:  sftdyn (or anything else)
password:   ${key}

# to try it:
curl -fsS -u sftdyn:${key} "https://dyn.example:4443/nic/update?hostname=${host}"
`;
}
