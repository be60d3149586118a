/** Debian's chromium without a window, told what to do by the DevTools protocol. */

import { assert } from "@std/assert";
import { until, within } from "../support.ts";

// deno-lint-ignore no-explicit-any
type Result = any;

interface Viewport {
  width: number;
  scheme: "light" | "dark";
}

/** One page of a browser. */
export class Browser {
  readonly #socket: WebSocket;
  readonly #answers = new Map<number, PromiseWithResolvers<Result>>();
  readonly #session: string | undefined;
  #last = 0;
  #loads = 0;
  /** What it had to complain of, such as a refused resource. */
  readonly complaints: string[] = [];

  private constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.onmessage = ({ data }) => this.#take(JSON.parse(data));
  }

  /** Starts it, and ends it when the body is done. */
  static async run(folder: string, body: (browser: Browser) => Promise<void>): Promise<void> {
    const flags = ["--headless", "--disable-gpu", "--remote-debugging-port=0", "about:blank"];
    if (Deno.uid() === 0) flags.unshift("--no-sandbox");
    const process = new Deno.Command("chromium", {
      args: [`--user-data-dir=${folder}`, ...flags],
      stdin: "null",
      stdout: "null",
      stderr: "null",
    }).spawn();
    try {
      let port = "";
      await until("chromium's port", async () => {
        const text = await Deno.readTextFile(`${folder}/DevToolsActivePort`).catch(() => "");
        port = text.split("\n")[0]!;
        return text.includes("\n");
      });
      const pages = await (await fetch(`http://127.0.0.1:${port}/json/list`)).json();
      const page = pages.find(({ type }: Result) => type === "page");
      const browser = new Browser(new WebSocket(page.webSocketDebuggerUrl));
      const opened = Promise.withResolvers<void>();
      browser.#socket.onopen = () => opened.resolve();
      await within(opened.promise, "chromium's page");
      for (const domain of ["Page", "Log", "Accessibility"]) await browser.call(`${domain}.enable`);
      await body(browser);
      await browser.call("Browser.close");
    } finally {
      try {
        process.kill("SIGKILL");
      } catch {
        // It has ended.
      }
      await process.status;
    }
  }

  async call(method: string, params: object = {}): Promise<Result> {
    const answer = Promise.withResolvers<Result>();
    this.#answers.set(++this.#last, answer);
    this.#socket.send(JSON.stringify({ id: this.#last, method, params }));
    return await within(answer.promise, method);
  }

  /** Loads a page as a device of such a width shows it. */
  async open(url: string, { width, scheme }: Viewport): Promise<void> {
    const mobile = width < 600;
    const device = { width, height: 800, deviceScaleFactor: 1, mobile };
    await this.call("Emulation.setDeviceMetricsOverride", device);
    const features = [{ name: "prefers-color-scheme", value: scheme }];
    await this.call("Emulation.setEmulatedMedia", { features });
    const before = this.#loads;
    await this.call("Page.navigate", { url });
    await until(`${url} is loaded`, () => this.#loads > before);
  }

  /** What a function returns in the page; it sees nothing from here. */
  async evaluate<T>(body: () => T): Promise<T> {
    const expression = `(${body})()`;
    const { result, exceptionDetails } = await this.call("Runtime.evaluate", {
      expression,
      returnByValue: true,
    });
    assert(exceptionDetails === undefined, JSON.stringify(exceptionDetails));
    return result.value;
  }

  #take({ id, method, params, result, error }: Result): void {
    if (method === "Page.loadEventFired") this.#loads++;
    if (method === "Log.entryAdded") this.complaints.push(params.entry.text);
    if (error !== undefined) this.#answers.get(id)?.reject(new Error(JSON.stringify(error)));
    else if (id !== undefined) this.#answers.get(id)?.resolve(result);
    this.#answers.delete(id);
  }
}
