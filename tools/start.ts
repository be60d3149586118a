/** `deno task start`: sftdyn from source, with the permissions of the executable. */

import { deno, stdFlags } from "./deno.ts";
import { RUN_FLAGS } from "./run_flags.ts";

Deno.exit(await deno(["run", ...await stdFlags(), ...RUN_FLAGS, "main.ts", ...Deno.args]));
