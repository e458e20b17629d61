/** Preloaded (`node --import`) into a process whose clock is to be wrong by FAULTS_CLOCK_SKEW_MS. Timers run as ever. */
import { env } from 'node:process';

const skewMs = Number(env['FAULTS_CLOCK_SKEW_MS']);
const RealDate = Date;

globalThis.Date = class extends RealDate {
  constructor(...parts: readonly unknown[]) {
    // oxlint-disable-next-line typescript/no-unsafe-argument -- passed on as it came
    super(...((parts.length === 0 ? [RealDate.now() + skewMs] : parts) as [number]));
  }

  static override now(): number {
    return RealDate.now() + skewMs;
  }
} as DateConstructor;
