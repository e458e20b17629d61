import { randomUUID } from 'node:crypto';
import type { FastifyInstance } from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import { sql } from 'slonik';
import { z } from 'zod';
import { IDEMPOTENT_ROUTE, runIdempotently } from '../../../src/api/idempotent.ts';
import { PROBLEMS, type ProblemCode, ProblemError } from '../../../src/api/problem.ts';
import type { Connection } from '../../../src/store/database.ts';

const body = z.object({
  note: z.string(),
  /** The effect fails with this, after it has written. */
  failWith: z.enum(Object.keys(PROBLEMS) as [ProblemCode, ...ProblemCode[]]).optional(),
  /** The backend of its transaction dies, after it has written. */
  die: z.boolean().optional(),
  /** The effect waits for {@link EffectsUnderTest.open}. */
  wait: z.boolean().optional(),
});

export interface EffectsUnderTest {
  readonly routes: (app: FastifyInstance) => void;
  /** Makes the table that effects write to. */
  prepare(pool: Connection): Promise<void>;
  /** Notes that were written and committed, the oldest first. */
  notes(pool: Connection, customerId: string): Promise<readonly string[]>;
  /** Settles when an effect has begun to wait. */
  readonly waiting: Promise<void>;
  /** Lets those that wait go on. */
  open(): void;
}

/** Routes whose one effect is a row with the note that was sent. */
export function effectsUnderTest(): EffectsUnderTest {
  const gate = Promise.withResolvers<void>();
  const arrival = Promise.withResolvers<void>();

  async function write(transaction: Connection, customerId: string, sent: z.infer<typeof body>) {
    await transaction.query(
      sql.unsafe`INSERT INTO effects (customer_id, note) VALUES (${customerId}, ${sent.note})`,
    );
    if (sent.wait) {
      arrival.resolve();
      await gate.promise;
    }
    if (sent.die) await transaction.query(sql.unsafe`SELECT pg_terminate_backend(pg_backend_pid())`);
    if (sent.failWith)
      throw new ProblemError(sent.failWith, 'as it was told', { headers: { 'x-told': 'yes' } });
    return {
      status: 201,
      body: { id: randomUUID(), note: sent.note },
      headers: { location: `/notes/${sent.note}` },
    };
  }

  return {
    waiting: arrival.promise,
    open: () => gate.resolve(),
    routes(instance) {
      const app = instance.withTypeProvider<ZodTypeProvider>();
      const answer = z.object({ id: z.string(), note: z.string() });
      const options = {
        ...IDEMPOTENT_ROUTE,
        onRequest: app.authenticate,
        schema: { body, response: { 201: { content: { 'application/json': { schema: answer } } } } },
      };
      for (const [method, url] of [
        ['POST', '/test/notes'],
        ['PUT', '/test/notes'],
        ['POST', '/test/other'],
        ['POST', '/test/notes/:id'],
      ] as const) {
        app.route({
          ...options,
          method,
          url,
          handler: (request, reply) =>
            runIdempotently(request, reply, { scope: 'sessions' }, (transaction, customerId) =>
              write(transaction, customerId, request.body),
            ),
        });
      }
      app.post('/test/required', options, (request, reply) =>
        runIdempotently(request, reply, { scope: 'sessions', key: 'uuid' }, (transaction, customerId) =>
          write(transaction, customerId, request.body),
        ),
      );
    },
    async prepare(pool) {
      await pool.query(sql.unsafe`
        CREATE TABLE effects (id bigint GENERATED ALWAYS AS IDENTITY, customer_id uuid NOT NULL, note text NOT NULL)
      `);
    },
    async notes(pool, customerId) {
      const rows = await pool.any(sql.type(z.object({ note: z.string() }))`
        SELECT note FROM effects WHERE customer_id = ${customerId} ORDER BY id
      `);
      return rows.map(({ note }) => note);
    },
  };
}
