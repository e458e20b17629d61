import { readdir, readFile } from 'node:fs/promises';

/** Ticks of the CPU times in /proc, on every platform that Node runs on (proc(5), USER_HZ). */
const TICKS_PER_SECOND = 100;

/** Resident memory of a process in MB (10⁶ bytes): now, and the most that it ever had. */
export async function residentMemory(pid: number): Promise<{ readonly now: number; readonly peak: number }> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  const megabytes = (field: string) =>
    Number(new RegExp(`^${field}:\\s+(\\d+) kB$`, 'm').exec(status)?.[1]) * 1.024e-3;
  return { now: megabytes('VmRSS'), peak: megabytes('VmHWM') };
}

/** Seconds of CPU that a process has used, with its children: those that live, and those that it has waited for. */
export async function cpuSeconds(pid: number): Promise<number> {
  const processes = await listProcesses();
  const own = processes.find((process) => process.pid === pid);
  if (own === undefined) throw new Error(`there is no process ${pid}`);
  const children = processes.filter(({ parent }) => parent === pid);
  const ticks = own.ticks + own.ticksOfEnded + children.reduce((sum, { ticks }) => sum + ticks, 0);
  return ticks / TICKS_PER_SECOND;
}

interface ProcessTimes {
  readonly pid: number;
  readonly parent: number;
  readonly ticks: number;
  /** Of the children that it has waited for. */
  readonly ticksOfEnded: number;
}

async function listProcesses(): Promise<readonly ProcessTimes[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const stats = await Promise.all(
    pids.map((pid) => readFile(`/proc/${pid}/stat`, 'utf8').catch(() => undefined)),
  );
  return stats.filter((stat) => stat !== undefined).map(readTimes);
}

/** Of the fields after the name in parentheses, which may hold anything, the first is number 3 (proc(5)). */
function readTimes(stat: string): ProcessTimes {
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const field = (number: number) => Number(fields[number - 3]);
  return {
    pid: Number.parseInt(stat, 10),
    parent: field(4),
    ticks: field(14) + field(15),
    ticksOfEnded: field(16) + field(17),
  };
}
