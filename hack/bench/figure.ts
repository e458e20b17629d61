/** One number that was found out. */
export interface Figure {
  /** Such as `drain of 2000, rows`. */
  readonly name: string;
  readonly value: number;
  /** What the number counts, such as `ms`, `runs/s`, `MiB` or `× create + transaction + status`. */
  readonly unit: string;
  readonly target?: Target;
}

/** Bounds that a figure is to keep; whether it does decides nothing here, since machines differ. */
export type Target = { readonly atMost: number } | { readonly atLeast: number };

/** Whether a figure keeps to its target; NaN never does. */
export function isMet(value: number, target: Target): boolean {
  return 'atMost' in target ? value <= target.atMost : value >= target.atLeast;
}
