/** Another writer moved something between our reading it and our writing. */
export class RacedError extends Error {
  override readonly name = 'RacedError';
  /** Has the transaction run again, like every serialisation failure. */
  readonly code = '40001';
}
