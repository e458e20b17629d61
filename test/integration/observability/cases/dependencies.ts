import { type CasesByAlert, FOLLOWER, LEADER, NOTHING } from '../alert-case.ts';

const API = 'job="api", instance="a1"';
const AWAY = `phaserun_store_postgres_away{${API}}`;
const connected = (of: string) => `phaserun_postgres_connected{${of}}`;
const WAITING = `phaserun_postgres_pool_connections{${API}, state="waiting"}`;
const calls = (code: string) => `rest_client_requests_total{${LEADER}, verb="GET", code="${code}"}`;
const REDIS = `phaserun_redis_connected{${API}}`;
const TABLE = `phaserun_stored_bytes{${LEADER}, table="scan_executions"}`;
const CLAIM = 'namespace="phaserun-system", persistentvolumeclaim="data-phaserun-postgres-0"';
const FREE = `kubelet_volume_stats_available_bytes{${CLAIM}}`;
const CAPACITY = `kubelet_volume_stats_capacity_bytes{${CLAIM}}`;
const VOLUME = { namespace: 'phaserun-system', persistentvolumeclaim: 'data-phaserun-postgres-0' };

/** What the alerts of Postgres, Kubernetes, Redis and the disk are to do. */
export const DEPENDENCY_CASES: CasesByAlert = {
  DatabaseUnreachable: {
    fires: [
      {
        when: 'a replica of the API finds it away',
        series: { [AWAY]: '1+0x20', [connected(API)]: '1+0x20' },
        at: '5m',
        labels: { job: 'api' },
      },
      {
        when: 'no controller reaches it',
        series: { [AWAY]: '0+0x20', [connected(LEADER)]: '0+0x20', [connected(FOLLOWER)]: '0+0x20' },
        at: '5m',
        labels: { job: 'controller' },
      },
    ],
    silent: [
      {
        when: 'it answers, and who does not lead has not asked',
        series: { [AWAY]: '0+0x20', [connected(LEADER)]: '1+0x20', [connected(FOLLOWER)]: '0+0x20' },
        at: '5m',
      },
    ],
  },
  PostgresPoolExhausted: {
    fires: [
      {
        when: 'callers wait',
        series: { [WAITING]: '3+0x40' },
        at: '20m',
        labels: { job: 'api', instance: 'a1' },
      },
    ],
    silent: [{ when: 'they waited for a moment', series: { [WAITING]: '0+0x10 3+0x2 0+0x40' }, at: '20m' }],
  },
  KubernetesApiUnreachable: {
    fires: [
      {
        when: 'most calls fail',
        series: { [calls('error')]: '0+10x30', [calls('200')]: '0+1x30' },
        at: '15m',
      },
    ],
    silent: [
      { when: 'few calls fail', series: { [calls('503')]: '0+1x30', [calls('200')]: '0+10x30' }, at: '15m' },
      { when: 'what is asked for is not there', series: { [calls('404')]: '0+10x30' }, at: '15m' },
    ],
  },
  RedisUnreachable: {
    fires: [
      {
        when: 'it is not connected',
        series: { [REDIS]: '0+0x30' },
        at: '10m',
        labels: { job: 'api', instance: 'a1' },
      },
    ],
    silent: [
      { when: 'it is connected', series: { [REDIS]: '1+0x30' }, at: '10m' },
      { when: 'none is configured', series: NOTHING, at: '10m' },
    ],
  },
  StorageGrowthHigh: {
    fires: [
      {
        when: 'it grew ten times as fast in the last day',
        series: { [TABLE]: '1000000000+100000000x192 21200000000+1000000000x30' },
        step: '1h',
        at: '9d',
      },
    ],
    silent: [
      { when: 'it grows as ever', series: { [TABLE]: '1000000000+100000000x240' }, step: '1h', at: '9d' },
      {
        when: 'it was empty, and is small',
        series: { [TABLE]: '0+0x192 1000+1000x30' },
        step: '1h',
        at: '9d',
      },
    ],
  },
  VolumeFillingUp: {
    fires: [
      {
        when: '3 % are left',
        series: { [FREE]: '3+0x60', [CAPACITY]: '100+0x60' },
        at: '30m',
        labels: VOLUME,
      },
      {
        when: 'it is full in a day',
        series: { [FREE]: '24-0.01x500', [CAPACITY]: '100+0x500' },
        at: '7h',
        labels: VOLUME,
      },
    ],
    silent: [
      { when: '20 % are left, and stay', series: { [FREE]: '20+0x500', [CAPACITY]: '100+0x500' }, at: '7h' },
    ],
  },
};
