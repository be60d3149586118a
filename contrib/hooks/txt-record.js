// @ts-check
// Beside the address of a host, a TXT record that says when it was set.
// In sftdyn.toml: hooks = "txt-record.js"

/** @type {import("./sftdyn-hooks.d.ts").NsupdateCommands} */
export function nsupdateCommands(host, ip) {
  const type = ip.includes(":") ? "AAAA" : "A";
  return [
    `update delete ${host} ${type}`,
    `update add ${host} 30 ${type} ${ip}`,
    `update delete _updated.${host} TXT`,
    `update add _updated.${host} 30 TXT "${new Date().toISOString()}"`,
  ];
}
