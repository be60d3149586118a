/** `deno task start`: sftdyn from source, with the permissions of the executable. */

import { deno, stdFlags } from "./deno.ts";
import { PERMISSIONS } from "./permissions.ts";

Deno.exit(await deno(["run", ...await stdFlags(), ...PERMISSIONS, "main.ts", ...Deno.args]));
