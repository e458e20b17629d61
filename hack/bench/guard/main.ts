/**
 * `npm run bench:guard`: whether store, retrieve or drain have become slower by half since the commit before. Both
 * versions run side by side, each on servers of its own, and take turns; what is compared is what both took in the same
 * round, which no other machine and no busy minute changes. The bench is this checkout's, for both.
 */
import { inspect, parseArgs } from 'node:util';
import { type Listing, render } from '../../../src/cli/output.ts';
import { THIS_PRODUCT } from '../stack.ts';
import { stopSignal } from '../stop-signal.ts';
import { withCheckout } from './checkout.ts';
import { NotComparableError } from './not-comparable.ts';
import { compareProducts } from './products.ts';
import { judge, type Verdict } from './verdict.ts';

const SKIPPED = 77;

const USAGE = `Usage: npm run bench:guard -- [--against COMMIT] [--slow-down]

Compares store, retrieve and drain of this checkout with those of the commit before, in about three minutes. Exits 1 when
one of them takes half as long again, ${SKIPPED} when there is nothing to compare with, which it then says.

  --against COMMIT   another commit than HEAD^
  --slow-down        slow this checkout's processes down: it has to exit 1
  --help             print this
`;

const LISTING: Listing<Verdict> = {
  name: ({ name }) => name,
  columns: [
    { header: 'CALL', value: ({ name }) => name },
    { header: 'BEFORE MS', value: ({ before }) => before.toFixed(2) },
    { header: 'NOW MS', value: ({ now }) => now.toFixed(2) },
    { header: 'CHANGE', value: ({ change }) => `× ${change.toFixed(2)}` },
    { header: 'WORSE BY HALF', value: ({ isWorse }) => (isWorse ? 'yes' : 'no') },
  ],
};

async function main(signal: AbortSignal): Promise<void> {
  const { values } = parseArgs({
    options: {
      against: { type: 'string', default: 'HEAD^' },
      'slow-down': { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) return void process.stdout.write(USAGE);
  const rounds = await withCheckout(values.against, signal, (checkout) =>
    compareProducts({
      before: checkout,
      now: THIS_PRODUCT,
      slowDown: values['slow-down'],
      onProgress: note,
      signal,
    }),
  );
  const verdicts = judge(rounds);
  process.stdout.write(render('table', LISTING, verdicts));
  if (verdicts.some(({ isWorse }) => isWorse)) process.exitCode = 1;
}

function note(message: string): void {
  process.stderr.write(`${message}\n`);
}

const signal = stopSignal();
try {
  await main(signal);
} catch (error) {
  const isSkipped = error instanceof NotComparableError && !signal.aborted;
  if (isSkipped) note(`skipped: bench-guard: ${error.message}`);
  else note(signal.aborted ? String(signal.reason) : inspect(error));
  process.exitCode = isSkipped ? SKIPPED : 1;
}
