/** The assertions of `@std/assert` that the tests use, on `node:assert`. */

import strict, { AssertionError } from "node:assert/strict";

export { AssertionError };

type ErrorClass<E extends Error> = new (...args: never[]) => E;

export function assert(expr: unknown, msg = ""): asserts expr {
  if (!expr) throw new AssertionError({ message: msg });
}

export function assertEquals<T>(actual: T, expected: T, msg?: string): void {
  strict.deepStrictEqual(actual, expected, msg);
}

export function assertMatch(actual: string, expected: RegExp, msg?: string): void {
  strict.match(actual, expected, msg);
}

export function assertStringIncludes(actual: string, expected: string, msg?: string): void {
  assert(
    actual.includes(expected),
    msg ?? `expected ${JSON.stringify(actual)} to include ${JSON.stringify(expected)}`,
  );
}

export function assertThrows<E extends Error>(
  fn: () => unknown,
  errorClass: ErrorClass<E>,
  includes = "",
): E {
  try {
    fn();
  } catch (error) {
    return expectError(error, errorClass, includes);
  }
  throw new AssertionError({ message: "expected function to throw" });
}

export async function assertRejects<E extends Error>(
  fn: () => PromiseLike<unknown>,
  errorClass: ErrorClass<E>,
  includes = "",
): Promise<E> {
  try {
    await fn();
  } catch (error) {
    return expectError(error, errorClass, includes);
  }
  throw new AssertionError({ message: "expected function to reject" });
}

function expectError<E extends Error>(
  error: unknown,
  errorClass: ErrorClass<E>,
  includes: string,
): E {
  assert(
    error instanceof errorClass,
    `expected error to be ${errorClass.name}, but it was ${error}`,
  );
  assertStringIncludes(error.message, includes);
  return error;
}
