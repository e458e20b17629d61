import type { PhaseRun, PhaseRunMetadata } from '../resources/phase-run.ts';

/** On the heap, roughly. Of what is stored while the controller keeps up, far less waits at any moment. */
const LIMIT_BYTES = 8 * 1024 * 1024;

/**
 * Whole PhaseRuns, payload and all, as the watch brought them: what is taken at once need not be read again. They are as many
 * as fit; of a backlog the rest is read when its turn comes. Each is handed out once, so that what is tried for long, or has
 * to wait for something, leaves its room to what comes.
 */
export class RunsAtHand {
  readonly #limitBytes: number;
  readonly #runs = new Map<string, { readonly phaseRun: PhaseRun; readonly bytes: number }>();
  #bytes = 0;

  constructor(limitBytes: number = LIMIT_BYTES) {
    this.#limitBytes = limitBytes;
  }

  /** Keeps it in the place of an earlier version of it, if there is room. */
  keep(phaseRun: PhaseRun): void {
    const { managedFields: _, ...metadata } = phaseRun.metadata;
    this.drop(metadata);
    const lean = { ...phaseRun, metadata };
    const bytes = heapBytesOf(lean);
    if (this.#bytes + bytes > this.#limitBytes) return;
    this.#runs.set(metadata.uid, { phaseRun: lean, bytes });
    this.#bytes += bytes;
  }

  /** This very version, which is not kept any longer. */
  take({ uid, resourceVersion }: Pick<PhaseRunMetadata, 'uid' | 'resourceVersion'>): PhaseRun | undefined {
    const phaseRun = this.#runs.get(uid)?.phaseRun;
    if (phaseRun?.metadata.resourceVersion !== resourceVersion) return undefined;
    this.drop({ uid });
    return phaseRun;
  }

  drop({ uid }: Pick<PhaseRunMetadata, 'uid'>): void {
    this.#bytes -= this.#runs.get(uid)?.bytes ?? 0;
    this.#runs.delete(uid);
  }
}

/** What a parsed JSON value takes, roughly. It may be nested more deeply than a stack is. */
function heapBytesOf(value: unknown): number {
  const left = [value];
  let bytes = 0;
  while (left.length > 0) {
    const next = left.pop();
    if (typeof next === 'string') bytes += 24 + next.length;
    if (typeof next !== 'object' || next === null) continue;
    bytes += 32;
    for (const [key, member] of Object.entries(next)) {
      bytes += 16 + key.length;
      left.push(member);
    }
  }
  return bytes;
}
