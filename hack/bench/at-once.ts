/**
 * Does the work for each item, so many at a time. The first failure ends it.
 * @throws what the work threw, or the signal's reason
 */
export async function atOnce<T>(
  items: Iterable<T>,
  { concurrency, signal }: { readonly concurrency: number; readonly signal: AbortSignal },
  work: (item: T) => Promise<void>,
): Promise<void> {
  const waiting = items[Symbol.iterator]();
  const stopping = new AbortController();
  const either = AbortSignal.any([signal, stopping.signal]);
  const worker = async () => {
    for (let next = waiting.next(); next.done !== true; next = waiting.next()) {
      either.throwIfAborted();
      await work(next.value);
    }
  };
  try {
    await Promise.all(Array.from({ length: concurrency }, worker));
  } catch (error) {
    stopping.abort(error);
    throw error;
  }
}
