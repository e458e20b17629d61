import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';

const ROOT = new URL('../../../', import.meta.url);
const WORKFLOWS = ['.github/workflows/ci.yml', '.github/workflows/release.yml'];
const SAMPLE = 'manifests/samples/github-actions.yml';

const step = z.looseObject({ uses: z.string().optional(), run: z.string().optional() });
const workflow = z.looseObject({
  permissions: z.record(z.string(), z.string()),
  jobs: z.record(
    z.string(),
    z.looseObject({
      permissions: z.record(z.string(), z.string()).optional(),
      steps: z.array(step).optional(),
      uses: z.string().optional(),
    }),
  ),
});
const action = z.looseObject({ runs: z.looseObject({ steps: z.array(step) }) });

describe.each([...WORKFLOWS, SAMPLE, 'action.yml'])('%s', (file) => {
  it('pins every action by a commit, and says which version that is', () => {
    const lines = read(file)
      .split('\n')
      .filter((line) => /^\s*(- )?uses:/.test(line));
    expect(lines).not.toHaveLength(0);
    for (const line of lines) expect(line).toMatch(/uses: (\.\/\S+|[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+)$/);
  });

  it('pins each action by one commit in all files', () => {
    const pins = new Set(read(file).match(/uses: [\w./-]+@.*/g));
    const everywhere = [...WORKFLOWS, SAMPLE, 'action.yml'].flatMap(
      (each) => read(each).match(/uses: [\w./-]+@.*/g) ?? [],
    );
    for (const pin of pins) {
      const name = pin.slice(0, pin.indexOf('@') + 1);
      expect(new Set(everywhere.filter((each) => each.startsWith(name)))).toEqual(new Set([pin]));
    }
  });

  it('writes nothing into the text of a script: what others choose comes as a variable', () => {
    const scripts = stepsOf(file).flatMap(({ run }) => run ?? []);
    expect(scripts).not.toHaveLength(0);
    for (const script of scripts) expect(script).not.toContain('${{');
  });
});

describe.each(WORKFLOWS)('%s', (file) => {
  it('gives nothing to all jobs, and to each what is listed here', () => {
    const { permissions, jobs } = workflow.parse(parse(read(file)));
    expect(permissions).toEqual({});
    const given = Object.entries(jobs).map(([name, job]) => [name, job.permissions]);
    expect(Object.fromEntries(given)).toEqual(PERMISSIONS[file]);
  });
});

const PUBLISH = { contents: 'read', packages: 'write', 'id-token': 'write', attestations: 'write' };
const PERMISSIONS: Readonly<Record<string, object>> = {
  '.github/workflows/ci.yml': { all: { contents: 'read' } },
  '.github/workflows/release.yml': {
    version: { contents: 'read' },
    test: { contents: 'read' },
    image: PUBLISH,
    chart: PUBLISH,
    npm: { contents: 'read', 'id-token': 'write' },
    release: { contents: 'write' },
  },
};

function stepsOf(file: string): readonly z.infer<typeof step>[] {
  const document: unknown = parse(read(file));
  if (file === 'action.yml') return action.parse(document).runs.steps;
  return Object.values(workflow.parse(document).jobs).flatMap(({ steps }) => steps ?? []);
}

function read(file: string): string {
  return readFileSync(new URL(file, ROOT), 'utf8');
}
