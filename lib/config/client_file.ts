/** `clients_file`: clients in a file of their own, a line each. */

import { ClientReader } from "./client_reader.ts";

/** Reads lines `KEY: HOST[, HOST...]`. */
export class ClientFileReader extends ClientReader {
  /** A line, without its end. */
  takeLine(text: string, line: number): void {
    text = text.trim();
    if (text === "" || text.startsWith("#")) return;
    if (text.includes("\r")) {
      return this.fault(
        line,
        "a carriage return in it: expected a newline at the end of each line",
      );
    }
    const comment = commentIn(text);
    if (comment >= 0) text = text.slice(0, comment).trimEnd();
    // A host has no colon, so only after the last one there may be hosts alone.
    const colon = text.lastIndexOf(":");
    if (colon < 0) return this.fault(line, "expected KEY: HOST, or KEY: HOST, HOST");
    const key = text.slice(0, colon).trimEnd();
    const hosts = text.slice(colon + 1).trim();
    if (hosts === "") {
      return this.fault(line, 'no host after the last ":": expected KEY: HOST, or KEY: HOST, HOST');
    }
    if (key.length > 1 && /^(["']).*\1$/.test(key)) {
      return this.fault(line, "write the key without quotes");
    }
    this.add(key, line, () => {
      const names = hosts.includes(",") ? hosts.split(",").map((name) => name.trim()) : [hosts];
      return { hosts: this.readHosts(line, names, undefined, 'after the last ":": ') };
    });
  }
}

/** Where a comment begins that is not the whole line: at a `#` after white space; -1 if none does. */
function commentIn(text: string): number {
  return text.includes("#") ? text.search(/\s#/) : -1;
}
