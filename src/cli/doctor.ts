import { setTimeout as sleep } from 'node:timers/promises';
import { Command } from 'commander';
import { archiveAgain } from '../controller/doctor/archive-again.ts';
import type { Discrepancy } from '../controller/doctor/discrepancy.ts';
import { type DoctorDependencies, type Examination, examineAll } from '../controller/doctor/doctor.ts';
import { restoreContent } from '../controller/doctor/examine-rows.ts';
import type { KubeClient } from '../kube/client.ts';
import { PHASE_RUNS, type PhaseRun } from '../resources/phase-run.ts';
import { helpFooter } from './arguments.ts';
import { appendAdminEvent } from './audited.ts';
import { releaseCluster } from './doctor-release.ts';
import { CommandFailure } from './failure.ts';
import { type Listing, note, type OutputFormat, outputOption, print, render } from './output.ts';
import { DATABASE_ENVIRONMENT, withDatabase } from './with-database.ts';
import { KUBERNETES_ENVIRONMENT, withKubernetes } from './with-kubernetes.ts';

interface DoctorOptions {
  readonly deep?: boolean;
  readonly repair?: boolean;
  readonly release?: boolean;
  readonly output: OutputFormat;
}

/** For the controller to archive again what was to be. */
const REPAIR_WAIT_MS = 60_000;
const REPAIR_POLL_MS = 1_000;

/** `doctor`: whether PhaseRuns and rows agree, and what to do where they do not. */
export function doctorCommand(): Command {
  return new Command('doctor')
    .summary('compare PhaseRuns with rows, and mend what differs')
    .description(
      'Compares every PhaseRun of the cluster with its row, and every session with its executions. Changes nothing, ' +
        'unless told to. Exits 1 when something is left that does not agree. The controller does the same all the time, ' +
        'at a low rate (phaserun_doctor_discrepancies).',
    )
    .option('--deep', 'compute the digest of every row anew: reads all that is stored')
    .option('--repair', 'make rows anew from PhaseRuns, status anew from rows, and damaged rows whole')
    .option(
      '--release',
      'before the last uninstall: when every PhaseRun is archived, lift the guards against deletion',
    )
    .addOption(outputOption())
    .addHelpText(
      'after',
      helpFooter({
        examples: [
          'phaserun doctor',
          'phaserun doctor --deep -o json',
          'phaserun doctor --repair',
          'phaserun doctor --release',
        ],
        environment: { ...DATABASE_ENVIRONMENT, ...KUBERNETES_ENVIRONMENT },
      }),
    )
    .action(doctor);
}

function doctor(options: DoctorOptions): Promise<void> {
  return withDatabase((pool) => withKubernetes((client) => examineAndMend(client, pool, options)));
}

async function examineAndMend(
  client: KubeClient,
  pool: DoctorDependencies['pool'],
  { deep = false, repair = false, release = false, output }: DoctorOptions,
): Promise<void> {
  const dependencies = { pool, phaseRuns: client.resource<PhaseRun>(PHASE_RUNS) };
  const examine = () => examineAll(dependencies, { deep, onProgress: showProgress });
  let examination = await examine();
  if (repair && examination.discrepancies.some(isRepairable)) {
    examination = await repairAll(dependencies, examination, examine);
  }
  print(render(output, LISTING, examination.discrepancies, examination));
  sumUp(examination);
  if (release) await releaseCluster(client, pool, examination);
  const { length } = examination.discrepancies;
  if (length === 0) return;
  const message = `${length} ${length === 1 ? 'thing does' : 'things do'} not agree`;
  if (repair || !examination.discrepancies.some(isRepairable)) throw new CommandFailure(message);
  throw new CommandFailure(message, {
    advice: 'What has an entry under REPAIR is mended by: phaserun doctor --repair',
  });
}

async function repairAll(
  dependencies: DoctorDependencies,
  { discrepancies }: Examination,
  examine: () => Promise<Examination>,
): Promise<Examination> {
  const repairable = discrepancies.filter(isRepairable);
  for (const discrepancy of repairable) {
    if (await repairOne(dependencies, discrepancy)) await auditRepair(dependencies, discrepancy);
  }
  note(`Repaired ${repairable.length}; waiting for the controller to archive.`);
  const repaired = new Set(repairable.map(({ phaseRun }) => phaseRun));
  const endsAt = Date.now() + REPAIR_WAIT_MS;
  for (;;) {
    const now = await examine();
    const isLeft =
      now.waiting.some((phaseRun) => repaired.has(phaseRun)) ||
      now.discrepancies.some((left) => isRepairable(left) && repaired.has(left.phaseRun));
    if (!isLeft || Date.now() >= endsAt) return now;
    await sleep(REPAIR_POLL_MS);
  }
}

async function repairOne(
  dependencies: DoctorDependencies,
  { repair, phaseRun, id }: Discrepancy,
): Promise<boolean> {
  if (repair?.kind === 'restore-content') return restoreContent(dependencies, { phase: repair.phase, id });
  const [namespace, name] = phaseRun?.split('/') ?? [];
  if (namespace === undefined || name === undefined) return false;
  return archiveAgain(dependencies.phaseRuns, { namespace, name });
}

async function auditRepair(
  { pool }: DoctorDependencies,
  { kind, id, customerId, phaseRun, repair }: Discrepancy,
): Promise<void> {
  await appendAdminEvent(pool, {
    ...(customerId !== undefined && { customerId }),
    eventType: 'doctor.repaired',
    metadata: { kind, id, phaseRun, repair: repair?.kind },
  });
}

function isRepairable({ repair }: Discrepancy): boolean {
  return repair !== undefined;
}

/** One line that is written over, where somebody looks at it. */
function showProgress({ phaseRuns, executions }: { phaseRuns: number; executions: number }): void {
  if (process.stderr.isTTY) process.stderr.write(`\rexamined ${phaseRuns} PhaseRuns, ${executions} rows `);
}

function sumUp({ phaseRuns, executions, waiting, discrepancies }: Examination): void {
  if (process.stderr.isTTY) process.stderr.write('\r\u001B[K');
  const rows = executions > 0 ? ` and the content of ${executions} rows` : '';
  note(`Examined ${phaseRuns} PhaseRuns${rows}: ${discrepancies.length} discrepancies.`);
  if (waiting.length > 0) {
    note(`${waiting.length} are not archived yet, such as ${waiting.slice(0, 3).join(', ')}.`);
  }
}

const LISTING: Listing<Discrepancy> = {
  name: ({ kind, id }) => `${kind.toLowerCase()}/${id}`,
  columns: [
    { header: 'KIND', value: ({ kind }) => kind },
    { header: 'PHASERUN', value: ({ phaseRun }) => phaseRun },
    { header: 'ID', value: ({ id }) => id },
    { header: 'MESSAGE', value: ({ message }) => message },
    { header: 'REPAIR', value: ({ repair }) => repair?.kind },
    { header: 'CUSTOMER', value: ({ customerId }) => customerId, wide: true },
  ],
};
