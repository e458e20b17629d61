import { readFileSync } from 'node:fs';

const ROOT = new URL('../', import.meta.url);
const USAGE = 'Usage: node hack/release.ts check|notes v<version>';

// Runs before anything is installed: it imports nothing but Node.
const [command, tag = ''] = process.argv.slice(2);
const version = /^v(\d+\.\d+\.\d+(?:-[0-9A-Za-z.-]+)?)$/.exec(tag)?.[1];
if (version === undefined || (command !== 'check' && command !== 'notes')) fail(USAGE, 2);

const problems = findProblems(version);
if (problems.length > 0) fail(problems.join('\n'), 1);
if (command === 'notes') process.stdout.write(`${notesOf(version)}\n`);

/** Where the repository says another version than the tag, one sentence each. */
function findProblems(wanted: string): string[] {
  const places = [
    { file: 'package.json', pattern: /^ {2}"version": "(.*)",$/m },
    { file: 'package-lock.json', pattern: /^ {2}"version": "(.*)",$/m },
    { file: 'charts/phaserun/Chart.yaml', pattern: /^version: "?([^"\n]*)"?$/m },
    { file: 'charts/phaserun/Chart.yaml', pattern: /^appVersion: "?([^"\n]*)"?$/m },
    { file: 'action.yml', pattern: /^ {4}default: (\d+\.\d+\.\d+\S*) # version of the npm package$/m },
  ];
  const stale = places
    .map(({ file, pattern }) => ({ file, found: pattern.exec(read(file))?.[1] }))
    .filter(({ found }) => found !== wanted)
    .map(({ file, found = 'no version' }) => `${file} says ${found}, and the tag says ${wanted}`);
  return notesOf(wanted) === '' ? [...stale, `CHANGELOG.md has no section "## ${wanted}"`] : stale;
}

/** What CHANGELOG.md says under the heading of the version, which may go on with a date. */
function notesOf(wanted: string): string {
  const sections = read('CHANGELOG.md').split(/^## /m).slice(1);
  const section = sections.find((text) => text.split(/\s/, 1)[0] === wanted);
  return section?.slice(section.indexOf('\n')).trim() ?? '';
}

function read(file: string): string {
  return readFileSync(new URL(file, ROOT), 'utf8');
}

function fail(message: string, code: number): never {
  process.stderr.write(`${message}\n`);
  process.exit(code);
}
