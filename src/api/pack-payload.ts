import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { GZIP_LIMIT } from '../resources/phase-run.ts';
import type { Digest } from '../domain/digest.ts';
import { type AcceptedStore, isInline } from '../resources/phase-run-draft.ts';

const compress = promisify(gzip);

/** Most bytes of JSON that the controller unpacks. */
const UNPACKED_LIMIT = 10 * 1024 * 1024;

/** A payload that does not fit into a PhaseRun, with the sentence for whoever sent it. */
export class PayloadDoesNotFitError extends Error {
  override readonly name = 'PayloadDoesNotFitError';
}

/**
 * A store whose PhaseRun carries its payload itself: readable while it is small, else compressed.
 * @throws PayloadDoesNotFitError
 */
export async function packPayload<Store extends { readonly digest: Digest }>(
  store: Store,
): Promise<Store & Pick<AcceptedStore, 'dataGzip'>> {
  const { digest } = store;
  if (isInline(digest)) return store;
  const { canonical, sizeBytes } = digest;
  if (sizeBytes > UNPACKED_LIMIT) throw doesNotFit(`${sizeBytes} bytes of JSON, of ${UNPACKED_LIMIT}`);
  const dataGzip = (await compress(canonical)).toString('base64');
  if (dataGzip.length <= GZIP_LIMIT) return { ...store, dataGzip };
  throw doesNotFit(`${dataGzip.length} bytes compressed (gzip, base64), of ${GZIP_LIMIT}`);
}

/** Bytes that the payload takes in etcd. */
export function packedBytes({ digest, dataGzip }: Pick<AcceptedStore, 'digest' | 'dataGzip'>): number {
  return dataGzip?.length ?? (isInline(digest) ? digest.sizeBytes : 0);
}

function doesNotFit(size: string): PayloadDoesNotFitError {
  return new PayloadDoesNotFitError(
    `The database cannot be reached, and this result takes ${size} that are kept without it; keep the result and send it again later`,
  );
}
