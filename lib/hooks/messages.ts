/** What the server and the worker of the hooks say to each other. */

/** The functions that a module of hooks may export. */
export const HOOKS = ["getIp", "getHost", "nsupdateCommands"] as const;
export type HookName = typeof HOOKS[number];

/** What a hook returned, as far as it is of a form that any of them may return. */
export type Returned = string | readonly string[] | undefined;

/** Strings in a list, and characters in one. */
export const MAX_STRINGS = 64;
export const MAX_STRING = 4096;

/** Headers as they can be sent to the worker, which makes web Headers of them. */
export type HeaderList = readonly (readonly [name: string, value: string])[];

/** What each hook is called with, in order. */
export interface HookArguments {
  readonly getIp: readonly [sourceIp: string, headers: HeaderList, key: string];
  readonly getHost: readonly [key: string, ip: string];
  readonly nsupdateCommands: readonly [host: string, ip: string, headers: HeaderList];
}

export type Argument = string | HeaderList;

export type ToWorker =
  | { readonly kind: "load"; readonly url: string; readonly begun: Int32Array<SharedArrayBuffer> }
  | {
    readonly kind: "call";
    readonly id: number;
    readonly hook: HookName;
    readonly args: readonly Argument[];
    /** What nobody gets to read, if the hook knows it; else "". */
    readonly key: string;
  }
  | { readonly kind: "ping" };

/** What was thrown: in a line, and where. */
export interface Thrown {
  readonly text: string;
  readonly place: Place | undefined;
}

/** A place in a file; line and column from 1. */
export interface Place {
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

export type FromWorker =
  | { readonly kind: "loaded"; readonly exports: Readonly<Record<string, string>> }
  | { readonly kind: "not loaded"; readonly thrown: Thrown }
  | { readonly kind: "returned"; readonly id: number; readonly value: Returned }
  | { readonly kind: "threw"; readonly id: number; readonly thrown: Thrown }
  /** Thrown where nobody waited for it: in a timer, or in a promise. */
  | { readonly kind: "stray"; readonly place: Place | undefined }
  | { readonly kind: "printed"; readonly text: string }
  | { readonly kind: "pong" };
