/** What the sequence `run_order` counts by: the gap behind each of its places is for runs that are ordered without it. */
export const ORDER_GAP = 1_024;

/** What is done at a place. Moves claim no name there, so that creates keep away from theirs. */
export type PlaceUse = 'create' | 'move';

/**
 * The next place of a slot, above all that are taken and above the mark, for one who cannot ask the sequence: the mark and the
 * place before each taken one were drawn, so what is drawn from now on is beyond the gap. Undefined when the gap is full.
 * @param mark a place that was drawn from the sequence
 * @param taken places of the slot
 */
export function orderWithoutSequence(
  mark: number,
  taken: readonly number[],
  use: PlaceUse,
): number | undefined {
  const last = taken.reduce((a, b) => Math.max(a, b), mark);
  const isMine = (place: number) => (place % 2 === 0) === (use === 'move');
  const next = isMine(last + 1) ? last + 1 : last + 2;
  return next < drawnBefore(last) + ORDER_GAP ? next : undefined;
}

/** The place of the sequence in whose gap a place lies. */
export function drawnBefore(place: number): number {
  return place - (place % ORDER_GAP);
}
