/** Imported into a process it makes all that it does take about three times as long: what the guard has to find. */
const PERIOD_MS = 5;
const BUSY_MS = 10;

setInterval(() => {
  const until = performance.now() + BUSY_MS;
  while (performance.now() < until);
}, PERIOD_MS).unref();
