/** Where the dyndns2 protocol is spoken. */
export interface Dyndns2Settings {
  /** The paths of its requests, each with the slash in front. */
  readonly paths: readonly string[];
}
