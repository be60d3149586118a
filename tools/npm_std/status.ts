/** `STATUS_CODE` and `STATUS_TEXT` of `@std/http`, as far as sftdyn uses them. */

const TEXTS = {
  200: "OK",
  400: "Bad Request",
  401: "Unauthorized",
  403: "Forbidden",
  404: "Not Found",
  405: "Method Not Allowed",
  431: "Request Header Fields Too Large",
  500: "Internal Server Error",
  503: "Service Unavailable",
  505: "HTTP Version Not Supported",
};

type Name =
  | "OK"
  | "BadRequest"
  | "Unauthorized"
  | "Forbidden"
  | "NotFound"
  | "MethodNotAllowed"
  | "InternalServerError"
  | "ServiceUnavailable";

export const STATUS_CODE = Object.fromEntries(
  Object.entries(TEXTS).map(([code, text]) => [text.replaceAll(" ", ""), Number(code)]),
) as Record<Name, keyof typeof TEXTS>;

export const STATUS_TEXT: Record<number, string> = TEXTS;
