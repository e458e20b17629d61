/** A role of the program, running inside this process. */
export interface RunningProcess {
  /** Where its HTTP server listens. */
  readonly url: string;
  /** Stops accepting, finishes what is in hand, closes what it opened. */
  close(): Promise<void>;
}
