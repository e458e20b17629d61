import type { ObjectName } from './kube-object.ts';
import type { ResourceDefinition } from './resource.ts';

type Location = Pick<ResourceDefinition, 'group' | 'version' | 'plural'>;

/** `group/version`, or `version` of the core group, as objects write it. */
export function apiVersionOf({ group, version }: Pick<ResourceDefinition, 'group' | 'version'>): string {
  return group === '' ? version : `${group}/${version}`;
}

/** Path of a kind, in one namespace or in all. */
export function collectionPath(definition: Location, namespace?: string): string {
  const root = definition.group === '' ? '/api' : '/apis';
  const scope = namespace === undefined ? '' : `/namespaces/${encodeURIComponent(namespace)}`;
  return `${root}/${apiVersionOf(definition)}${scope}/${definition.plural}`;
}

/** Path of one object. */
export function objectPath(definition: Location, { namespace, name }: ObjectName): string {
  return `${collectionPath(definition, namespace)}/${encodeURIComponent(name)}`;
}
