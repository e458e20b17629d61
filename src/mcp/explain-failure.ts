import { PlatformRefusedError, PlatformUnreachableError } from '../client/client-errors.ts';

/** What went wrong with a call, and what to do about it. */
export function explainFailure(error: unknown): string {
  if (error instanceof PlatformRefusedError) {
    return [
      `${error.message}.`,
      ADVICE[error.status] ?? 'Change the arguments; the same call is refused again.',
    ].join('\n');
  }
  if (error instanceof PlatformUnreachableError) {
    const advice =
      'Nobody can say whether it was done. Call again, with the same idempotency_key if you gave one; ' +
      'if it goes on, ask the operator whether CONTROLLER_URL is the address of the API and answers at /health.';
    return `${error.message}.\n${advice}`;
  }
  return `The tool failed: ${error instanceof Error ? error.message : String(error)}`;
}

const ADVICE: Readonly<Record<number, string>> = {
  400: 'Mend the arguments that it names and call again.',
  401: 'The operator has to set MESH_JWT_TOKEN to a token or an API key that is valid, and to start this server again.',
  403: 'The credentials do not allow this. The operator has to grant the scope, or to verify the forge account.',
  404: 'Check the id: it may be mistyped, or belong to somebody else.',
  409: 'Wait a moment for the earlier call with this idempotency_key to end, or look at what is there already.',
};
