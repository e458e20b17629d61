import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { rolldown } from 'rolldown';
import { kubectl, startKubectl } from './commands.ts';
import { CHART, NAMESPACE, RELEASE } from './release.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const NAME = 'runner';
const PROGRAMS = join(ROOT, 'test/e2e/in-pod');

/** Starts a pod in the cluster, of the program's own image, in which programs of test/e2e/in-pod run. */
export async function startRunnerPod(): Promise<void> {
  await kubectl(['apply', '-n', NAMESPACE, '-f', '-'], { stdin: JSON.stringify(await makePod()) });
  await kubectl(['wait', '-n', NAMESPACE, '--for=condition=Ready', `pod/${NAME}`, '--timeout=120s']);
  const unpack = ['exec', '-i', '-n', NAMESPACE, NAME, '--', 'node', '-e', UNPACK];
  await kubectl(unpack, { stdin: JSON.stringify(await bundlePrograms()) });
}

const UNPACK = `
  const { mkdirSync, writeFileSync } = require('node:fs');
  const { dirname } = require('node:path');
  const files = JSON.parse(require('node:fs').readFileSync(0, 'utf8'));
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname('/tmp/e2e/' + path), { recursive: true });
    writeFileSync('/tmp/e2e/' + path, text);
  }`;

/** The program's version is its image's tag, unless the chart says otherwise. */
async function makePod() {
  const chart = await readFile(join(CHART, 'Chart.yaml'), 'utf8');
  const version = /^appVersion: "?([^"\n]+)"?$/m.exec(chart)?.[1];
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name: NAME,
      // Those of the chart's own test: network policies let it at the database.
      labels: {
        'app.kubernetes.io/name': 'phaserun',
        'app.kubernetes.io/instance': RELEASE,
        'app.kubernetes.io/component': 'test',
      },
    },
    spec: {
      restartPolicy: 'Never',
      automountServiceAccountToken: false,
      securityContext: {
        runAsNonRoot: true,
        runAsUser: 65_532,
        runAsGroup: 65_532,
        fsGroup: 65_532,
        seccompProfile: { type: 'RuntimeDefault' },
      },
      terminationGracePeriodSeconds: 0,
      containers: [
        {
          name: 'runner',
          image: `ghcr.io/rsolv/phaserun:${version}`,
          command: ['node', '-e', 'setInterval(() => {}, 1 << 30)'],
          securityContext: {
            allowPrivilegeEscalation: false,
            readOnlyRootFilesystem: true,
            capabilities: { drop: ['ALL'] },
          },
          volumeMounts: [{ name: 'tmp', mountPath: '/tmp' }],
        },
      ],
      volumes: [{ name: 'tmp', emptyDir: {} }],
    },
  };
}

/** The programs with all that they import, since the image has no packages; by path. */
async function bundlePrograms(): Promise<Record<string, string>> {
  const input = (await readdir(PROGRAMS)).map((file) => join(PROGRAMS, file));
  await using bundle = await rolldown({ input, platform: 'node' });
  const { output } = await bundle.generate();
  const code = output.flatMap((file) => (file.type === 'chunk' ? [[file.fileName, file.code]] : []));
  return { 'package.json': '{ "type": "module" }', ...Object.fromEntries(code) };
}

/** A program in the pod: it is told lines, and tells lines of JSON. */
export interface PodProgram {
  tell(line: string): void;
  /** What it says next. @throws {Error} with its errors when it has ended instead */
  hear<T>(): Promise<T>;
}

/** @param options are its only argument, as JSON */
export function startInPod(program: string, options: object): PodProgram {
  const command = ['node', `/tmp/e2e/${program}.js`, JSON.stringify(options)];
  const child = startKubectl(['exec', '-i', '-n', NAMESPACE, NAME, '--', ...command]);
  const errors: string[] = [];
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => errors.push(chunk));
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return {
    tell: (line) => void child.stdin.write(`${line}\n`),
    async hear<T>() {
      const { value, done } = await lines.next();
      if (done === true) throw new Error(`${program} ended in the pod: ${errors.join('')}`);
      return JSON.parse(value) as T;
    },
  };
}
