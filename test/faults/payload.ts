import type { Random } from './random.ts';

/** Mostly what runners send, now and then a large one, and rarely what only just passes a proxy's usual limit. */
const SIZES = [
  { share: 0.6, low: 100, high: 2_000 },
  { share: 0.25, low: 2_000, high: 15_000 },
  // Beyond what a PhaseRun carries itself.
  { share: 0.11, low: 17_000, high: 100_000 },
  { share: 0.035, low: 200_000, high: 900_000 },
  { share: 0.005, low: 3_900_000, high: 4_000_000 },
] as const;

/** A payload that nobody else sends: it names its store. */
export function makePayload(random: Random, id: string): Record<string, unknown> {
  let at = random.next();
  const size = SIZES.find(({ share }) => (at -= share) < 0) ?? SIZES[0];
  const length = random.integer(size.low, size.high);
  // Does not compress to nothing.
  const word = () => Math.floor(random.next() * 2 ** 32).toString(36);
  const words = Array.from({ length: Math.min(4_000, Math.ceil(length / 7)) }, word).join(' ');
  const text = words.repeat(Math.ceil(length / Math.max(1, words.length))).slice(0, length);
  return { store: id, text };
}
