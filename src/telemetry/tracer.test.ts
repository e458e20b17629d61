import { fastify } from 'fastify';
import { pino } from 'pino';
import { describe, expect, test } from 'vitest';
import { createOtlpReceiver } from '../../test/fixtures/otlp-receiver.ts';
import { closedPort } from '../../test/fixtures/scripted-server.ts';
import { useRequestContext } from '../api/plugins/request-context.ts';
import { parseTraceparent, traceIdOf } from './trace-parent.ts';
import { createTracer, IDLE_TRACER, traced } from './tracer.ts';

const SERVICE = { serviceName: 'phaserun-test', serviceVersion: '1', instance: 'a' };
const parent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';
const unsampled = parent.replace(/01$/, '00');

const open = async (endpoint: string, ratio = 1) => {
  const logger = pino({ enabled: false });
  return { tracer: await createTracer({ endpoint, ratio, ...SERVICE, logger }) };
};

describe('a tracer with somewhere to send spans', async () => {
  const receiver = await createOtlpReceiver();

  test('sends them below their parents when it is closed, failed ones as failed, without what the error says', async () => {
    const { tracer } = await open(`${receiver.url}/`);
    const failing = traced(tracer, 'outer', { parent }, async (above) => {
      await traced(tracer, 'inner', { parent: above }, () => Promise.resolve());
      throw new TypeError('what a customer sent');
    });
    await expect(failing).rejects.toThrow('what a customer sent');
    await tracer.close();
    const [inner, outer] = receiver.spans().slice(-2);
    expect(outer).toMatchObject({
      service: 'phaserun-test',
      name: 'outer',
      traceId: traceIdOf(parent),
      parentSpanId: '00f067aa0ba902b7',
      isFailed: true,
    });
    expect(inner).toMatchObject({ name: 'inner', parentSpanId: outer?.spanId, isFailed: false });
    expect(JSON.stringify(receiver.bodies())).not.toContain('what a customer sent');
  });

  test.each([
    { what: 'of a client that does not record', given: unsampled, ratio: 1, sent: false },
    { what: 'of a client that does, whatever the ratio', given: parent, ratio: 0, sent: true },
    { what: 'that begins here, at 0', given: undefined, ratio: 0, sent: false },
    { what: 'that begins here, at 1', given: undefined, ratio: 1, sent: true },
    { what: 'whose parent is none', given: 'nonsense', ratio: 1, sent: true },
  ])('a trace $what: sent is $sent', async ({ given, ratio, sent }) => {
    const before = receiver.spans().length;
    const { tracer } = await open(receiver.url, ratio);
    const span = tracer.begin('x', { parent: given });
    span.end();
    await tracer.close();
    expect(receiver.spans().length - before).toBe(sent ? 1 : 0);
    expect(parseTraceparent(span.traceparent)).toMatchObject({ isSampled: sent });
    expect(span.isRecording).toBe(sent);
  });

  test('makes of a request a span with its route and its status', async () => {
    const { tracer } = await open(receiver.url);
    const app = fastify();
    useRequestContext(app, { tracer });
    app.get('/things/:id', ({ traceparent }, reply) => reply.code(503).send({ traceparent }));
    app.get('/livez', () => 'ok');
    const url = await app.listen({ host: '127.0.0.1', port: 0 });
    const before = receiver.spans().length;
    await (await fetch(`${url}/livez`)).text();
    const answer = await fetch(`${url}/things/7?token=secret`, { headers: { traceparent: parent } });
    const below = parseTraceparent(((await answer.json()) as { traceparent: string }).traceparent);
    await app.close();
    await tracer.close();
    expect(receiver.spans().slice(before)).toMatchObject([
      {
        name: 'GET /things/:id',
        traceId: traceIdOf(parent),
        spanId: below?.spanId,
        attributes: { 'http.route': '/things/:id', 'http.response.status_code': 503 },
        isFailed: true,
      },
    ]);
    expect(JSON.stringify(receiver.bodies())).not.toContain('secret');
  });
});

test('a receiver that is away keeps nobody from closing', async () => {
  const { tracer } = await open(`http://127.0.0.1:${await closedPort()}`);
  for (let n = 0; n < 2_000; n += 1) tracer.begin('x', { parent }).end();
  // The exporter alone would try for 10 s, and the test would fail.
  await expect(tracer.close()).resolves.toBeUndefined();
});

test('with nowhere to send spans a trace goes on as it came, or begins', async () => {
  expect(
    await createTracer({ endpoint: undefined, ratio: 1, ...SERVICE, logger: pino({ enabled: false }) }),
  ).toBe(IDLE_TRACER);
  expect(IDLE_TRACER.begin('x', { parent: unsampled })).toMatchObject({
    traceparent: unsampled,
    isRecording: false,
  });
  const { traceparent } = IDLE_TRACER.begin('x', { parent: 'nonsense' });
  expect(parseTraceparent(traceparent)).toMatchObject({ isSampled: false });
});
