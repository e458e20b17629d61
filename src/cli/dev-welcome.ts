import { relative } from 'node:path';
import type { DevFile } from './dev-file.ts';
import { print } from './output.ts';

/** Where things are on this machine. */
export interface DevPaths {
  /** The file that says all of it. */
  readonly path: string;
  readonly logPath: string;
  readonly kubectl?: string;
}

/** Says what runs, where, and what to try with it. */
export function welcome(file: DevFile, paths: DevPaths): void {
  const here = (path: string) => relative(process.cwd(), path) || path;
  const kubectl = paths.kubectl ?? 'kubectl';
  print(`
PhaseRun is ready.

  API          ${file.apiUrl}          docs ${file.apiUrl}/docs
  API key      ${file.apiKey}
  owns         github.com/${file.forgeNamespace}  (second customer: ${file.second.forgeNamespace})
  KUBECONFIG   ${here(file.kubeconfig)}
  metrics      ${file.metricsUrls.join('  ')}
  Prometheus   ${file.prometheusUrl === undefined ? 'not running: this machine has none' : `${file.prometheusUrl}/alerts`}
  dashboards   manifests/grafana/dashboards, for Grafana; their values now: hack/smoke
  log          ${here(paths.logPath)}
  all of it    ${here(paths.path)}

Store a result, and retrieve it:

  curl -s ${file.apiUrl}/api/v1/phases/store -H 'x-api-key: ${file.apiKey}' -H 'content-type: application/json' \\
    -d '{"phase":"scan","repo":"${file.forgeNamespace}/app","commitSha":"7776c71","data":{"vulnerabilities":[{"type":"xss"}]}}'
  curl -s '${file.apiUrl}/api/v1/phases/retrieve?repo=${file.forgeNamespace}/app&commit=7776c71' -H 'x-api-key: ${file.apiKey}'

The same with kubectl:

  export KUBECONFIG=${here(file.kubeconfig)}
  ${kubectl} apply -f manifests/samples/scan.yaml
  ${kubectl} wait --for=condition=Archived phr --all -n ${file.namespace}
  ${kubectl} get phr -n ${file.namespace}

Ctrl-C stops everything; the data stays.
`);
}
