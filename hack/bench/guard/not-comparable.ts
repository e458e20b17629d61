/** There is no commit before, or it does not start: which says nothing of this one. */
export class NotComparableError extends Error {
  override readonly name = 'NotComparableError';
}
