/** Prometheus' text format 0.0.4. */

import { LongText } from "./long_text.ts";

export const METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8";

export type Labels = Readonly<Record<string, string | number>>;

/** A metric with all its samples. */
export class Metric {
  readonly #name: string;
  readonly #text = new LongText();

  /** @param help one line */
  constructor(name: string, type: "counter" | "gauge", help: string) {
    this.#name = name;
    this.#text.add(`# HELP ${name} ${escaped(help)}\n# TYPE ${name} ${type}\n`);
  }

  add(value: number, labels: Labels = {}): this {
    let own = "";
    for (const name in labels) {
      own += `${own === "" ? "" : ","}${name}="${
        escaped(`${labels[name]}`).replaceAll('"', '\\"')
      }"`;
    }
    this.#text.add(`${this.#name}${own === "" ? "" : `{${own}}`} ${value}\n`);
    return this;
  }

  addTo(text: LongText): void {
    text.append(this.#text);
  }
}

function escaped(text: string): string {
  return text.replaceAll("\\", "\\\\").replaceAll("\n", "\\n");
}
