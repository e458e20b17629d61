import { createInterface } from 'node:readline';

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();

/** What the test that started this program wants to be done. */
export function readOptions(): unknown {
  return JSON.parse(process.argv[2] ?? '{}');
}

/** Waits until the test says so. */
export async function untilTold(what: string): Promise<void> {
  const { value } = await lines.next();
  if (value !== what) throw new Error(`told ${String(value)} instead of ${what}`);
}

export function say(what: unknown): void {
  process.stdout.write(`${JSON.stringify(what)}\n`);
}
