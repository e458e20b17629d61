import { z } from 'zod';
import { type DerivedResult, deriveResult, RED_GREEN } from './derive.ts';
import { measureResult, type RunMeasure, SEVERITIES } from './measure.ts';
import type { Phase } from './phase.ts';
import type { JsonObject } from './run.ts';

/**
 * Of how payloads are read: the next number, once the same payload would read differently. What another version has read counts for
 * nothing, so that it is read again.
 */
export const READING_VERSION = 1;

/** All that is taken from a payload: whoever has this can archive the run without reading what may be megabytes. */
export interface RunReading {
  readonly derived: DerivedResult;
  readonly measure: RunMeasure;
}

/** Reads a payload of any client; never throws, whatever the shape. */
export function readResult(phase: Phase, data: JsonObject): RunReading {
  return { derived: deriveResult(phase, data), measure: measureResult(phase, data) };
}

const number = z.number().exactOptional();
const text = z.string().exactOptional();

/** A reading as JSON keeps it. */
export const runReading: z.ZodType<RunReading> = z.object({
  derived: z.object({
    vulnerabilities: number,
    validated: z.boolean().exactOptional(),
    redGreen: z.enum(RED_GREEN),
    falsePositive: z.boolean(),
    trustScore: number,
    pullRequestUrl: text,
    pullRequestNumber: number,
    filesChanged: number,
    language: text,
    framework: text,
  }),
  measure: z.object({
    severities: z.partialRecord(z.enum(SEVERITIES), z.number()),
    isInconclusive: z.boolean(),
    durationMs: number,
    tests: z.object({ generated: number, passed: number, failed: number }),
  }),
});
