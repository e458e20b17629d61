/** What is there now, and what had to be done for that. */
export interface Ensured<T> {
  readonly value: T;
  readonly change: 'created' | 'changed' | 'unchanged';
}
