/** `STATUS_CODE` and `STATUS_TEXT` of `@std/http`, made from the names that `node:http` knows. */

import { STATUS_CODES } from "node:http";

type Name =
  | "OK"
  | "BadRequest"
  | "Unauthorized"
  | "Forbidden"
  | "MethodNotAllowed"
  | "InternalServerError"
  | "ServiceUnavailable";

export const STATUS_CODE = Object.fromEntries(
  Object.entries(STATUS_CODES).map(([code, text]) => [text!.replaceAll(" ", ""), Number(code)]),
) as Record<Name, number>;

export const STATUS_TEXT = STATUS_CODES as Record<number, string>;
