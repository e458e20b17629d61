import { randomBytes } from 'node:crypto';
import type { ObjectName } from './kube-object.ts';
import { microTime } from './micro-time.ts';
import type { Draft } from './resource.ts';

/** Bytes that the server takes as a note (pkg/apis/core/validation/events.go). */
const NOTE_BYTES = 1024;

/** Leaves room for what makes the name of an event unique. */
const NAME_LENGTH = 220;

/** The object that an event is about. */
export interface ObjectReference extends ObjectName {
  readonly apiVersion: string;
  readonly kind: string;
  readonly uid?: string;
  readonly resourceVersion?: string;
}

export interface KubeEvent {
  readonly regarding: ObjectReference;
  readonly type: 'Normal' | 'Warning';
  /** Why, for machines: PascalCase, such as `Archived`; at most 128 characters. */
  readonly reason: string;
  /** What was done or tried: PascalCase, such as `Archive`; at most 128 characters. */
  readonly action: string;
  /** For people; cut after 1 KiB. */
  readonly note: string;
}

/** Who tells: program and process. */
export interface EventReporter {
  readonly controller: string;
  readonly instance: string;
}

/** How often the same happened. */
export interface EventCount {
  readonly count: number;
  readonly lastObservedTime: Date;
}

/** Makes an `events.k8s.io/v1` Event of a name of its own; those about cluster objects live in `default`. */
export function makeEventDraft(event: KubeEvent, { controller, instance }: EventReporter, at: Date): Draft {
  const { regarding, type, reason, action, note } = event;
  return {
    metadata: { name: eventName(regarding.name), namespace: regarding.namespace ?? 'default' },
    eventTime: microTime(at),
    reportingController: controller,
    reportingInstance: instance,
    regarding,
    type,
    reason,
    action,
    note: cut(note),
  };
}

/** The `series` of an event, which has one from its second time on. */
export function makeSeries({ count, lastObservedTime }: EventCount): { readonly series?: object } {
  return count < 2 ? {} : { series: { count, lastObservedTime: microTime(lastObservedTime) } };
}

/** Equal for events that make a series, whatever their notes say. */
export function seriesKey({ regarding, type, reason, action }: KubeEvent): string {
  const { apiVersion, kind, namespace = '', name, uid = '' } = regarding;
  return [type, reason, action, apiVersion, kind, namespace, name, uid].join(' ');
}

function eventName(name: string): string {
  const stem = name.slice(0, NAME_LENGTH).replace(/[.-]+$/, '');
  return `${stem}.${randomBytes(8).toString('hex')}`;
}

/** Never within a character. */
function cut(note: string): string {
  const { read } = new TextEncoder().encodeInto(note, new Uint8Array(NOTE_BYTES));
  return note.slice(0, read);
}
