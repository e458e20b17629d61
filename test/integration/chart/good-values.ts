/** Values that people will want, each a combination of its own; what is not said is the chart's default. */
export const GOOD_VALUES: Readonly<Record<string, object>> = {
  'nothing but defaults': {},
  'everything external': {
    postgres: {
      mode: 'external',
      external: { existingSecret: 'rds', caSecret: 'rds-ca' },
      maxConnections: 400,
    },
    redis: { mode: 'external', external: { existingSecret: 'elasticache', caSecret: 'elasticache-ca' } },
    api: { replicas: 6, databasePoolMax: 20 },
  },
  'CloudNativePG, no Redis': {
    postgres: {
      mode: 'cloudnativepg',
      cloudnativepg: { imageName: 'example/postgres:18', parameters: { work_mem: '8MB' } },
    },
    redis: { mode: 'none' },
  },
  'CloudNativePG of one instance': { postgres: { mode: 'cloudnativepg', cloudnativepg: { instances: 1 } } },
  'TLS to both, made here': {
    postgres: { bundled: { tls: { enabled: true } } },
    redis: { bundled: { tls: { enabled: true } } },
  },
  'TLS and passwords of somebody else': {
    postgres: { bundled: { existingSecret: 'pg', tls: { enabled: true, existingSecret: 'pg-tls' } } },
    redis: { bundled: { existingSecret: 'redis', tls: { enabled: true, existingSecret: 'redis-tls' } } },
  },
  'the bundled servers, tuned': {
    postgres: {
      maxConnections: 250,
      bundled: {
        storage: { size: '100Gi', className: 'fast' },
        parameters: {
          shared_buffers: '1GB',
          wal_compression: true,
          max_wal_size: '4GB',
          checkpoint_timeout: 900,
        },
        resources: { requests: { cpu: 2, memory: '4Gi' }, limits: { memory: '4Gi' } },
        nodeSelector: { disk: 'ssd' },
      },
    },
    redis: {
      bundled: { image: { repository: 'docker.io/valkey/valkey', tag: '9' }, storage: { size: '1Gi' } },
    },
  },
  'autoscaling, no budgets': {
    postgres: { maxConnections: 300 },
    api: {
      autoscaling: { enabled: true, minReplicas: 3, maxReplicas: 20 },
      podDisruptionBudget: { enabled: false },
    },
    controller: { replicas: 3, podDisruptionBudget: { maxUnavailable: '50%' } },
  },
  'an Ingress': {
    ingress: {
      enabled: true,
      className: 'nginx',
      hosts: ['phaserun.example.com'],
      tlsSecret: 'phaserun-tls',
    },
  },
  'a Gateway, with metrics': {
    httpRoute: {
      enabled: true,
      parentRefs: [{ name: 'shared', namespace: 'gateways', sectionName: 'https' }],
      hostnames: ['phaserun.example.com'],
    },
    exposeMetrics: true,
  },
  'the Prometheus operator': {
    monitoring: {
      prometheusOperator: 'always',
      labels: { release: 'kube-prometheus-stack' },
      interval: '15s',
    },
  },
  'a first tenant': {
    tenant: {
      create: true,
      name: 'Acme Inc.',
      forgeAccounts: ['github/acme@4217', 'gitlab/acme/sub'],
      namespaces: ['acme'],
      scopes: ['phases:read', 'phases:write', 'sessions'],
      keySecret: 'acme-key',
    },
  },
  'token issuers and settings': {
    tokenIssuers: [
      { kind: 'github-actions', audience: 'https://phaserun.example.com' },
      { issuer: 'https://id.example.com', audience: ['phaserun'], customerClaim: 'customer_id' },
    ],
    settings: {
      RATE_LIMIT_PER_HOUR: 1_000_000_000,
      PAYLOAD_RETENTION_DAYS: 'forever',
      LOG_LEVEL: 'debug',
      AUDIT_READS: false,
    },
  },
  'network policies of a strict cluster': {
    networkPolicy: {
      apiFrom: [{ namespaceSelector: { matchLabels: { team: 'ci' } } }],
      controllerFrom: [{ namespaceSelector: { matchLabels: { team: 'monitoring' } } }],
      postgresFrom: [{ podSelector: { matchLabels: { app: 'grafana' } } }],
      kubernetesPorts: [16_443],
    },
  },
  'passwords of a Job': { passwordsMadeBy: 'job' },
  'only the program': {
    fullnameOverride: 'results',
    image: {
      repository: 'registry.example/phaserun',
      tag: 'main',
      digest: `sha256:${'0'.repeat(64)}`,
      pullPolicy: 'Always',
    },
    imagePullSecrets: ['registry'],
    migration: { enabled: false },
    crds: { install: false },
    rbac: { aggregateToUserRoles: false },
    networkPolicy: { enabled: false },
    postgres: { mode: 'external', external: { existingSecret: 'database' } },
    redis: { mode: 'none' },
  },
  'pods where they belong': {
    api: {
      tolerations: [{ key: 'ci', operator: 'Exists', effect: 'NoSchedule' }],
      nodeSelector: { pool: 'ci' },
      podLabels: { team: 'security' },
      podAnnotations: { 'example.com/owner': 'security' },
      priorityClassName: 'system-cluster-critical',
      service: { type: 'LoadBalancer', port: 443, annotations: { 'example.com/internal': 'true' } },
      topologySpreadConstraints: [
        { maxSkew: 2, topologyKey: 'kubernetes.io/hostname', whenUnsatisfiable: 'DoNotSchedule' },
      ],
    },
    controller: { affinity: { nodeAffinity: {} } },
  },
};
