import type { CasesByAlert } from '../alert-case.ts';

const ROUTE = 'method="POST", route="/api/v1/phases/store"';
const stores = (status: string) => `http_requests_total{${ROUTE}, status="${status}"}`;
const within = (ms: string) =>
  `http_request_duration_milliseconds_bucket{${ROUTE}, status="200", le="${ms}"}`;
const REFUSED = 'phaserun_store_refused_without_postgres_total{reason="backlog"}';
const FULL = 'phaserun_inbox_full_total';
const OLDEST = 'phaserun_inbox_oldest_age_seconds{job="controller", instance="c1"}';
const UNARCHIVED = 'phaserun_store_unarchived_phaseruns{job="api", instance="a1"}';
const SHED = 'phaserun_shed_requests_total{pressure="in_flight"}';

/** What the alerts of the store route are to do. */
export const STORE_CASES: CasesByAlert = {
  'ErrorBudgetBurn 1h': {
    fires: [
      {
        when: '2 % fail',
        series: { [stores('200')]: '0+98x180', [stores('503')]: '0+2x180' },
        at: '90m',
      },
    ],
    silent: [
      { when: '1 % fails', series: { [stores('202')]: '0+99x180', [stores('503')]: '0+1x180' }, at: '90m' },
      {
        when: 'they failed, and do so no more',
        series: { [stores('200')]: '0+98x180', [stores('503')]: '0+5x80 400+0x100' },
        at: '90m',
      },
      {
        when: 'callers are at fault',
        series: { [stores('200')]: '0+9x180', [stores('422')]: '0+9x180' },
        at: '90m',
      },
    ],
  },
  'ErrorBudgetBurn 6h': {
    fires: [
      { when: '0.8 % fail', series: { [stores('200')]: '0+992x500', [stores('500')]: '0+8x500' }, at: '7h' },
    ],
    silent: [
      { when: '0.4 % fail', series: { [stores('200')]: '0+996x500', [stores('500')]: '0+4x500' }, at: '7h' },
    ],
  },
  StoreLatencyHigh: {
    fires: [
      {
        when: 'a fifth takes longer than a second',
        series: {
          [within('1000')]: '0+80x60',
          [within('2500')]: '0+100x60',
          [within('+Inf')]: '0+100x60',
          [stores('200')]: '0+100x60',
        },
        at: '40m',
      },
    ],
    silent: [
      {
        when: '1 % takes longer than a second',
        series: {
          [within('1000')]: '0+99x60',
          [within('2500')]: '0+100x60',
          [within('+Inf')]: '0+100x60',
          [stores('200')]: '0+100x60',
        },
        at: '40m',
      },
    ],
  },
  StoresRefused: {
    fires: [
      { when: 'the backlog is full', series: { [REFUSED]: '0+0x10 1+1x20', [FULL]: '0+0x40' }, at: '15m' },
      { when: 'the inbox is full', series: { [REFUSED]: '0+0x40', [FULL]: '0+0x10 1+1x20' }, at: '15m' },
    ],
    silent: [{ when: 'none is', series: { [REFUSED]: '3+0x40', [FULL]: '2+0x40' }, at: '15m' }],
  },
  InboxGrowing: {
    fires: [{ when: 'the oldest gets older', series: { [OLDEST]: '0+60x40' }, at: '20m' }],
    silent: [{ when: 'what comes goes', series: { [OLDEST]: '30+0x40' }, at: '20m' }],
  },
  PhaseRunsNotArchived: {
    fires: [{ when: 'some stay', series: { [UNARCHIVED]: '5+0x40' }, at: '20m' }],
    silent: [{ when: 'they are archived at last', series: { [UNARCHIVED]: '5+0x8 0+0x40' }, at: '20m' }],
  },
  RequestsShed: {
    fires: [
      { when: 'there are many', series: { [SHED]: '0+5x40' }, at: '20m', labels: { pressure: 'in_flight' } },
    ],
    silent: [{ when: 'there was a handful', series: { [SHED]: '0+0x10 5+0x40' }, at: '20m' }],
  },
};
