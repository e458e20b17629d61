import { Counter, Gauge, type Registry } from 'prom-client';
import { zeroCounter } from '../zero-series.ts';

/** What the doctor looks at. */
export const EXAMINED = ['phaserun', 'execution'] as const;

/** What the leader finds when it compares PhaseRuns and rows. */
export function createDoctorMetrics(registry: Registry) {
  const registers = [registry];
  const examined = new Counter({
    name: 'phaserun_doctor_examined_total',
    help: 'PhaseRuns that were compared with their rows, and rows whose content was compared with its digest.',
    labelNames: ['what'] as const,
    registers,
  });
  zeroCounter(examined, { what: EXAMINED });
  return {
    examined,
    discrepancies: new Gauge({
      name: 'phaserun_doctor_discrepancies',
      help: 'What did not agree when it was last looked at, by kind; `phaserun doctor` lists it.',
      labelNames: ['kind'] as const,
      registers,
    }),
    repairs: new Counter({
      name: 'phaserun_doctor_repairs_total',
      help: 'PhaseRuns that were archived again because their row was not as their receipt said.',
      registers,
    }),
  };
}
