import { PlatformRefusedError, PlatformUnreachableError } from './client-errors.ts';
import type { PendingResult, PendingResults } from './pending-results.ts';
import type { Platform } from './platform.ts';
import type { Retrying } from './retry.ts';

/** What became of the results on disk. */
export interface Resent {
  /** How many arrived. */
  readonly count: number;
  /** Those that must wait, since the platform stopped answering; empty unless `failure` is set. */
  readonly waiting: readonly PendingResult[];
  readonly failure: PlatformUnreachableError | undefined;
}

/**
 * Sends what is pending, oldest first, and stops where the platform stops answering: whoever arrives last is the
 * newest of its slot, unless somebody else's result came between. A refused result holds nobody back. Never throws.
 */
export async function resendPending(
  pending: readonly PendingResult[],
  to: { readonly platform: Platform; readonly retrying: Retrying; readonly folder: PendingResults },
  warn: (message: string) => void,
): Promise<Resent> {
  let count = 0;
  for (const [index, one] of pending.entries()) {
    try {
      await to.retrying.run(() => to.platform.storeLate(one.result));
      count += 1;
      await to.folder.remove(one);
    } catch (error) {
      if (error instanceof PlatformUnreachableError)
        return { count, waiting: pending.slice(index), failure: error };
      warn(await explainFailure(one, error, to.folder));
    }
  }
  return { count, waiting: [], failure: undefined };
}

/** A refusal of the credentials may pass with others, so the result stays; a refusal of the content will not. */
async function explainFailure(
  pending: PendingResult,
  error: unknown,
  folder: PendingResults,
): Promise<string> {
  const { file, result } = pending;
  const reason = error instanceof Error ? error.message : String(error);
  if (!(error instanceof PlatformRefusedError)) return `${file} was sent and could not be removed: ${reason}`;
  const what = `The ${result.phase} result of ${result.metadata.repo}, kept on this disk since ${result.timestamp}`;
  if (error.concernsCredentials) return `${what}, cannot be sent yet: ${reason}. It stays in ${file}.`;
  const aside = await folder.setAside(pending).catch(() => file);
  return `${what}, was refused: ${reason}. It lies in ${aside}.`;
}
