/** Loads `sftdyn why` with its DNS library: nothing else waits for them. */

/** In the executable it is a file of its own (tools/build.ts), which a bundle must not draw in. */
export async function loadWhy(): Promise<typeof import("./why.ts")> {
  return await import(new URL("./why.ts", import.meta.url).href);
}
