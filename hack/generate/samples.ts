import { readdirSync, readFileSync } from 'node:fs';
import { parseAllDocuments } from 'yaml';
import { KIND, phaseRunManifest } from '../../src/resources/phase-run.ts';

const FOLDER = new URL('../../manifests/samples/', import.meta.url);

/** What is wrong with the samples, one sentence each: they are written by hand, and have to keep up with the kind. */
export function findSampleProblems(): string[] {
  return readdirSync(FOLDER).flatMap((file) =>
    parseAllDocuments(readFileSync(new URL(file, FOLDER), 'utf8'))
      .map((document): unknown => document.toJS())
      .filter((object) => isPhaseRun(object))
      .flatMap((object) => phaseRunManifest.safeParse(object).error?.issues ?? [])
      .map((issue) => `manifests/samples/${file}: ${issue.path.join('.')} ${issue.message}`),
  );
}

function isPhaseRun(object: unknown): boolean {
  return typeof object === 'object' && object !== null && 'kind' in object && object.kind === KIND;
}
