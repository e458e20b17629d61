import type { ComparisonResult } from './comparison.ts';
import type { Figure } from './figure.ts';
import type { BenchStack } from './stack.ts';

/** A part of the benchmark that can be chosen; each runs on servers of its own, so that none depends on another. */
export interface Section {
  readonly name: string;
  /** What it measures, for `--help`. */
  readonly help: string;
  /** Makes ready what may be missing on a machine, before any section measures. */
  prepare?(options: PrepareOptions): Promise<void>;
  measure(stack: BenchStack, options: SectionOptions): Promise<Findings>;
}

export interface PrepareOptions {
  readonly onProgress: (message: string) => void;
  readonly signal: AbortSignal;
}

export interface SectionOptions {
  /** Few calls and rounds: to see that it works. */
  readonly quick: boolean;
  readonly onProgress: (message: string) => void;
}

export interface Findings {
  readonly calls?: readonly ComparisonResult[];
  readonly figures: readonly Figure[];
}
