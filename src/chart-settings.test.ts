import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { loadConfig, VARIABLES } from './config.ts';

/** Variables that the chart sets from other values, or that mean nothing in a pod of it. */
const NOT_SETTINGS = [
  'DATABASE_URL',
  'DATABASE_POOL_MAX',
  'DATABASE_READER_ROLE',
  'DATABASE_READER_PASSWORD',
  'REDIS_URL',
  'KUBECONFIG',
  'POD_NAMESPACE',
  'POD_NAME',
  'OIDC_ISSUER_URL',
  'OIDC_AUDIENCE',
  'OIDC_JWKS_URL',
  'OIDC_ISSUERS_FILE',
  'HOST',
  'PORT',
  'CONTROLLER_PORT',
  'METRICS_PORT',
  'CONTROLLER_URL',
  'MESH_JWT_TOKEN',
  'MESH_TIMEOUT_SECS',
  'MESH_RETRY_COUNT',
  'KUBEBUILDER_ASSETS',
  'XDG_CACHE_HOME',
];

const schema = z
  .object({
    properties: z.object({
      settings: z.object({
        properties: z.record(
          z.string(),
          z.object({ minimum: z.number().optional(), maximum: z.number().optional() }),
        ),
      }),
    }),
  })
  .parse(JSON.parse(readFileSync(new URL('../charts/phaserun/values.schema.json', import.meta.url), 'utf8')));
const settings = schema.properties.settings.properties;

describe('settings of the chart', () => {
  test('are those of the program', () => {
    expect([...Object.keys(settings), ...NOT_SETTINGS].toSorted()).toEqual(VARIABLES.toSorted());
  });

  const bounded = Object.entries(settings).flatMap(([name, { minimum, maximum }]) =>
    minimum === undefined || maximum === undefined ? [] : [{ name, minimum, maximum }],
  );

  // How long things are kept has to fit together; what is kept for ever fits to everything.
  const forever = Object.fromEntries(
    Object.keys(settings)
      .filter((name) => /^(?!SESSION|AUDIT|WEBHOOK).*_RETENTION_DAYS$/.test(name))
      .map((name) => [name, 'forever']),
  );

  test.for(bounded)('bound $name as the program does', ({ name, minimum, maximum }) => {
    const isTaken = (value: number) => {
      try {
        loadConfig({ ...forever, [name]: String(value) });
        return true;
      } catch {
        return false;
      }
    };
    expect([minimum - 1, minimum, maximum, maximum + 1].map(isTaken)).toEqual([false, true, true, false]);
  });
});
