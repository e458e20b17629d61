import { drawnBefore } from '../domain/order-without-sequence.ts';

/** The greatest place known to have been drawn from the sequence, by whomever: the mark for those that cannot draw one. */
export class OrderMark {
  #value = 0;

  get value(): number {
    return this.#value;
  }

  /** A place was met: drawn, or in the gap of one that was. */
  observe(place: number): void {
    this.#value = Math.max(this.#value, drawnBefore(place));
  }
}
