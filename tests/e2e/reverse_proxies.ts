/** The reverse proxies that people have, with the very lines of the README. */

import { assert } from "@std/assert";
import { withProxy } from "./proxy.ts";
import { block } from "./readme.ts";

export const REVERSE_PROXIES = ["nginx", "haproxy", "caddy", "apache2"] as const;
export type ReverseProxy = typeof REVERSE_PROXIES[number];
export const HEADERS = ["X-Forwarded-For", "Forwarded"] as const;
export type Header = typeof HEADERS[number];

export interface Place {
  /** Where it listens, on 127.0.0.1 and ::1. */
  from: number;
  /** Where sftdyn listens, on 127.0.0.1. */
  to: number;
  folder: string;
}

/** Runs a proxy while the body does something with it. */
export async function withReverseProxy(
  proxy: ReverseProxy,
  header: Header,
  place: Place,
  body: () => Promise<void>,
): Promise<void> {
  const { from, to, folder } = place;
  const file = `${folder}/proxy.conf`;
  const config = await CONFIGS[proxy](header, place);
  await Deno.writeTextFile(file, config.replaceAll("127.0.0.1:8080", `127.0.0.1:${to}`));
  await withProxy([proxy, ...ARGS[proxy](file, folder)], from, folder, body);
}

const ARGS: Record<ReverseProxy, (file: string, folder: string) => string[]> = {
  nginx: (file, folder) => ["-p", folder, "-e", "stderr", "-c", file],
  haproxy: (file) => ["-db", "-f", file],
  caddy: (file) => ["run", "--adapter", "caddyfile", "--config", file],
  apache2: (file) => ["-X", "-f", file],
};

const CONFIGS: Record<
  ReverseProxy,
  (header: Header, place: Place) => string | Promise<string>
> = {
  nginx(header, { from, folder }) {
    // Kept connections, as they are what somebody could smuggle a request through.
    let location = swap(block("proxy_pass"), "http://127.0.0.1:8080;", "http://sftdyn;");
    location = swap(
      location,
      /\}\n$/,
      'proxy_http_version 1.1; proxy_set_header Connection "";}\n',
    );
    let map = "";
    if (header === "Forwarded") {
      const [before, setting] = forwarded("nginx").split(/^(?=proxy_set_header)/m);
      map = before!;
      location = swap(location, /.*X-Forwarded-For.*/, setting!);
    }
    const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
    return `daemon off;
master_process off;
pid ${folder}/pid;
error_log stderr;
events {}
http {
${temporary.map((name) => `${name}_temp_path ${folder}/${name};`).join("\n")}
upstream sftdyn { server 127.0.0.1:8080; keepalive 4; }
${map}
server {
listen 127.0.0.1:${from};
listen [::1]:${from};
${location}
}
}
`;
  },
  haproxy(header, { from, folder }) {
    let lines = swap(block("frontend dyn"), ":::80 ", `:::${from} `);
    if (header === "Forwarded") {
      const [settings, check] = forwarded("HAProxy").split(/^(?=http-check)/m);
      lines = swap(lines, /.*set-header X-Forwarded-For.*/, settings!);
      lines = swap(lines, /.*hdr X-Forwarded-For.*/, check!);
    }
    return `global
stats socket ${folder}/haproxy.sock
defaults
http-reuse always
timeout connect 60s
timeout client 60s
timeout server 60s
${lines}`;
  },
  caddy(header, { from, folder }) {
    let site = swap(
      block("dyn.example {"),
      "dyn.example {",
      `http://:${from} {\nbind 127.0.0.1 ::1`,
    );
    if (header === "Forwarded") site = swap(site, /.*reverse_proxy.*/, forwarded("Caddy"));
    return `{
admin off
auto_https off
storage file_system ${folder}/caddy
}
${site}`;
  },
  async apache2(header, { from, folder }) {
    const host = swap(block("<VirtualHost"), "<VirtualHost *:80>", `<VirtualHost *:${from}>`);
    const settings = header === "Forwarded" ? forwarded("Apache") : undefined;
    const folders = ["/usr/lib/apache2", "/usr/lib64/httpd", "/usr/lib/httpd"];
    const modules = `${await existing(folders)}/modules`;
    const names = ["mpm_event", "unixd", "authz_core", "headers", "proxy", "proxy_http"];
    return `ServerRoot ${folder}
ServerName localhost
DefaultRuntimeDir ${folder}
PidFile ${folder}/pid
ErrorLog /dev/stderr
Listen 127.0.0.1:${from}
Listen [::1]:${from}
${
      names.map((name) =>
        `<IfModule !${name}_module>\nLoadModule ${name}_module ${modules}/mod_${name}.so\n</IfModule>`
      ).join("\n")
    }
# It does not serve as root.
User "#65534"
Group "#65534"
${settings === undefined ? host : swap(host, /.*X-Forwarded-For.*/, settings)}`;
  },
};

/** The README's lines for a proxy that sets Forwarded. */
function forwarded(name: string): string {
  const lines = block("# nginx:").split(/^# /m).find((lines) => lines.startsWith(name));
  assert(lines !== undefined, name);
  return lines.slice(lines.indexOf("\n") + 1);
}

function swap(text: string, old: string | RegExp, by: string): string {
  const swapped = text.replace(old, () => by);
  assert(swapped !== text, `${old} in ${text}`);
  return swapped;
}

async function existing(folders: string[]): Promise<string> {
  for (const folder of folders) {
    if (await Deno.stat(folder).then(() => true, () => false)) return folder;
  }
  throw new Error(`none of ${folders}`);
}
