import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { stringify } from 'yaml';
import { claimDirectory } from './claimed-directory.ts';
import { startServer } from './server-process.ts';
import { findStablePort } from './stable-port.ts';

export interface EmbeddedPrometheus {
  /** `http://127.0.0.1:<port>`. */
  readonly url: string;
  readonly pid: number;
  stop(): Promise<void>;
}

export interface StartPrometheusOptions {
  readonly directory: string;
  /** What is scraped: addresses (`host:port`) by job. */
  readonly targets: Readonly<Record<string, readonly string[]>>;
  /** Path of a file of rules. */
  readonly rules: string;
  readonly scrapeIntervalSeconds: number;
}

const PROGRAM = 'prometheus';

/**
 * Starts the machine's own Prometheus on loopback. Undefined when the machine has none.
 * @throws DirectoryInUseError, ServerStartError
 */
export async function startPrometheus(
  options: StartPrometheusOptions,
): Promise<EmbeddedPrometheus | undefined> {
  if (!(await isInstalled())) return undefined;
  await using started = new AsyncDisposableStack();
  const { directory, release } = await claimDirectory(options.directory);
  started.defer(release);
  const port = await findStablePort(directory, 'prometheus');
  const url = `http://127.0.0.1:${port}`;
  const configuration = join(directory, 'prometheus.yaml');
  await writeFile(configuration, stringify(makeConfiguration(options)));
  const server = await startServer({
    name: 'prometheus',
    directory,
    program: PROGRAM,
    args: [
      `--config.file=${configuration}`,
      `--storage.tsdb.path=${join(directory, 'data')}`,
      `--web.listen-address=127.0.0.1:${port}`,
    ],
    orphanSignal: 'INT',
    isReady: () => isReady(url),
  });
  started.defer(() => server.stop());
  const running = started.move();
  return { url, pid: server.pid, stop: () => running.disposeAsync() };
}

function makeConfiguration({ targets, rules, scrapeIntervalSeconds }: StartPrometheusOptions) {
  return {
    global: { scrape_interval: `${scrapeIntervalSeconds}s` },
    rule_files: [rules],
    scrape_configs: Object.entries(targets).map(([job, addresses]) => ({
      job_name: job,
      static_configs: [{ targets: addresses }],
    })),
  };
}

function isInstalled(): Promise<boolean> {
  return promisify(execFile)(PROGRAM, ['--version']).then(
    () => true,
    () => false,
  );
}

function isReady(url: string): Promise<boolean> {
  return fetch(`${url}/-/ready`).then(
    ({ ok }) => ok,
    () => false,
  );
}
