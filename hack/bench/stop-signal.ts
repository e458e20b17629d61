/** Aborts when the process is told to stop, with a reason for people. */
export function stopSignal(): AbortSignal {
  const stopping = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.once(name, () => stopping.abort(`stopped by ${name}`));
  }
  return stopping.signal;
}
