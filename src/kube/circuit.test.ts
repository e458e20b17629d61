import { expect, test } from 'vitest';
import { createCircuit } from './circuit.ts';
import { KubeError } from './kube-error.ts';

const away = new KubeError({ status: 0, reason: 'Unreachable', message: 'away' });
const notFound = new KubeError({ status: 404, reason: 'NotFound', message: 'no such object' });

function circuitAt() {
  const clock = { ms: 0 };
  const circuit = createCircuit(() => clock.ms);
  let probes = 0;
  const pass = (answer: () => Promise<unknown>) =>
    circuit.pass(() => {
      probes += 1;
      return answer();
    });
  return { clock, circuit, pass, probes: () => probes };
}

test('a closed circuit lets calls through and probes nothing', async () => {
  const { pass, probes } = circuitAt();
  await pass(() => Promise.resolve());
  expect(probes()).toBe(0);
});

test('an open one refuses with what opened it, and probes once a second', async () => {
  const { clock, circuit, pass, probes } = circuitAt();
  circuit.open(away);
  const failing = () => Promise.reject(away);
  await expect(pass(failing)).rejects.toBe(away);
  expect(probes()).toBe(0);
  clock.ms = 1_000;
  await Promise.all([1, 2, 3].map(() => expect(pass(failing)).rejects.toBe(away)));
  await expect(pass(failing)).rejects.toBe(away);
  expect(probes()).toBe(1);
});

test.each([
  { name: 'that succeeds', probe: () => Promise.resolve() },
  { name: 'that is told that there is no such object', probe: () => Promise.reject(notFound) },
])('a probe $name closes it', async ({ probe }) => {
  const { clock, circuit, pass } = circuitAt();
  circuit.open(away);
  clock.ms = 1_000;
  await pass(probe);
  expect(circuit.isOpen()).toBe(false);
});

test('a probe that hangs holds up nobody', async () => {
  const { clock, circuit, pass } = circuitAt();
  circuit.open(away);
  clock.ms = 1_000;
  await expect(pass(() => Promise.withResolvers().promise)).rejects.toBe(away);
});
