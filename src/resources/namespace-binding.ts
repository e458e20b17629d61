import { z } from 'zod';
import { CUSTOMER_ID_ANNOTATION } from './annotations.ts';

/** A Kubernetes namespace, as far as it matters here: its name, its age, its binding. */
export interface Namespace {
  readonly metadata: {
    readonly name: string;
    readonly uid: string;
    readonly resourceVersion: string;
    readonly creationTimestamp: string;
    readonly annotations?: Readonly<Record<string, string>>;
  };
}

/** Where namespaces live in the API. */
export const NAMESPACES = {
  group: '',
  version: 'v1',
  kind: 'Namespace',
  plural: 'namespaces',
  namespaced: false,
} as const;

const uuid = z.uuid();

/** The customer a namespace is bound to; undefined when it is bound to none, or to what is no customer's id. */
export function customerOfNamespace(namespace: Namespace | undefined): string | undefined {
  return uuid.safeParse(namespace?.metadata.annotations?.[CUSTOMER_ID_ANNOTATION]).data?.toLowerCase();
}

/** The namespace that holds a customer's runs: of those bound to it the oldest, so that a second binding moves nothing. */
export function namespaceOfCustomer(
  namespaces: readonly Namespace[],
  customerId: string,
): string | undefined {
  const ageKey = ({ metadata }: Namespace) => `${metadata.creationTimestamp}/${metadata.name}`;
  return namespaces
    .filter((namespace) => customerOfNamespace(namespace) === customerId)
    .toSorted((a, b) => (ageKey(a) < ageKey(b) ? -1 : 1))[0]?.metadata.name;
}

/** Keeps of a namespace only what {@link Namespace} says. */
export function leanNamespace({ metadata }: Namespace): Namespace {
  const { name, uid, resourceVersion, creationTimestamp } = metadata;
  const customerId = metadata.annotations?.[CUSTOMER_ID_ANNOTATION];
  const annotations =
    customerId === undefined ? {} : { annotations: { [CUSTOMER_ID_ANNOTATION]: customerId } };
  return { metadata: { name, uid, resourceVersion, creationTimestamp, ...annotations } };
}
