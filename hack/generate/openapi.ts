import { pino } from 'pino';
import { startApi } from '../../src/cli/api-process.ts';
import { loadConfig } from '../../src/config.ts';
import type { GeneratedFile } from './generated-file.ts';

/** The API as its own document describes it; with nothing behind it, which the document does not depend on. */
export const openapi: GeneratedFile = { path: 'docs/openapi.json', make: fetchDocument };

async function fetchDocument(): Promise<string> {
  const config = loadConfig({ HOST: '127.0.0.1', PORT: '0', KUBECONFIG: '/dev/null' });
  const api = await startApi(config, pino({ level: 'silent' }));
  try {
    const response = await fetch(`${api.url}/openapi.json`);
    return `${JSON.stringify(await response.json(), null, 2)}\n`;
  } finally {
    await api.close();
  }
}
