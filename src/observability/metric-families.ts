// Generated from src/telemetry/families by `npm run generate`: change it there.

/** Every declared metric: its type, and its labels, with their values where they are a closed set. */
export const METRIC_FAMILIES = {
  process_cpu_user_seconds_total: {
    type: 'counter',
    labels: {},
  },
  process_cpu_system_seconds_total: {
    type: 'counter',
    labels: {},
  },
  process_cpu_seconds_total: {
    type: 'counter',
    labels: {},
  },
  process_start_time_seconds: {
    type: 'gauge',
    labels: {},
  },
  process_resident_memory_bytes: {
    type: 'gauge',
    labels: {},
  },
  process_virtual_memory_bytes: {
    type: 'gauge',
    labels: {},
  },
  process_heap_bytes: {
    type: 'gauge',
    labels: {},
  },
  process_open_fds: {
    type: 'gauge',
    labels: {},
  },
  process_max_fds: {
    type: 'gauge',
    labels: {},
  },
  nodejs_eventloop_lag_seconds: {
    type: 'gauge',
    labels: {},
  },
  nodejs_eventloop_lag_min_seconds: {
    type: 'gauge',
    labels: {},
  },
  nodejs_eventloop_lag_max_seconds: {
    type: 'gauge',
    labels: {},
  },
  nodejs_eventloop_lag_mean_seconds: {
    type: 'gauge',
    labels: {},
  },
  nodejs_eventloop_lag_stddev_seconds: {
    type: 'gauge',
    labels: {},
  },
  nodejs_eventloop_lag_p50_seconds: {
    type: 'gauge',
    labels: {},
  },
  nodejs_eventloop_lag_p90_seconds: {
    type: 'gauge',
    labels: {},
  },
  nodejs_eventloop_lag_p99_seconds: {
    type: 'gauge',
    labels: {},
  },
  nodejs_eventloop_utilization_summary: {
    type: 'summary',
    labels: {},
  },
  nodejs_eventloop_utilization_histogram: {
    type: 'histogram',
    labels: {},
  },
  nodejs_active_resources: {
    type: 'gauge',
    labels: {
      type: [],
    },
  },
  nodejs_active_resources_total: {
    type: 'gauge',
    labels: {},
  },
  nodejs_active_handles: {
    type: 'gauge',
    labels: {
      type: [],
    },
  },
  nodejs_active_handles_total: {
    type: 'gauge',
    labels: {},
  },
  nodejs_active_requests: {
    type: 'gauge',
    labels: {
      type: [],
    },
  },
  nodejs_active_requests_total: {
    type: 'gauge',
    labels: {},
  },
  nodejs_heap_size_total_bytes: {
    type: 'gauge',
    labels: {},
  },
  nodejs_heap_size_used_bytes: {
    type: 'gauge',
    labels: {},
  },
  nodejs_external_memory_bytes: {
    type: 'gauge',
    labels: {},
  },
  nodejs_heap_space_size_total_bytes: {
    type: 'gauge',
    labels: {
      space: [],
    },
  },
  nodejs_heap_space_size_used_bytes: {
    type: 'gauge',
    labels: {
      space: [],
    },
  },
  nodejs_heap_space_size_available_bytes: {
    type: 'gauge',
    labels: {
      space: [],
    },
  },
  nodejs_version_info: {
    type: 'gauge',
    labels: {
      version: [],
      major: [],
      minor: [],
      patch: [],
    },
  },
  nodejs_gc_duration_seconds: {
    type: 'histogram',
    labels: {
      kind: [],
    },
  },
  phaserun_build_info: {
    type: 'gauge',
    labels: {
      version: [],
      node: [],
    },
  },
  http_requests_total: {
    type: 'counter',
    labels: {
      method: [],
      route: [],
      status: [],
    },
  },
  http_request_duration_milliseconds: {
    type: 'histogram',
    labels: {
      method: [],
      route: [],
      status: [],
    },
  },
  http_requests_in_flight: {
    type: 'gauge',
    labels: {},
  },
  phaserun_store_stage_duration_seconds: {
    type: 'histogram',
    labels: {
      stage: ['normalise', 'auth', 'payload', 'create', 'wait'],
    },
  },
  phaserun_store_acknowledged_total: {
    type: 'counter',
    labels: {
      durability: ['row', 'object', 'inbox'],
    },
  },
  phaserun_auth_outcomes_total: {
    type: 'counter',
    labels: {
      outcome: ['accepted', 'missing', 'invalid', 'scope', 'namespace', 'unavailable'],
    },
  },
  phaserun_store_refused_without_postgres_total: {
    type: 'counter',
    labels: {
      reason: ['caller', 'history', 'payload', 'place', 'backlog'],
    },
  },
  phaserun_store_postgres_away: {
    type: 'gauge',
    labels: {},
  },
  phaserun_store_known_callers_used_total: {
    type: 'counter',
    labels: {},
  },
  phaserun_store_without_postgres_total: {
    type: 'counter',
    labels: {},
  },
  phaserun_store_unarchived_phaseruns: {
    type: 'gauge',
    labels: {},
  },
  phaserun_store_unarchived_bytes: {
    type: 'gauge',
    labels: {},
  },
  rsolv_scan_executions_total: {
    type: 'counter',
    labels: {
      repo: [],
      status: [],
    },
  },
  rsolv_scan_vulnerabilities_total: {
    type: 'counter',
    labels: {
      repo: [],
      severity: [],
    },
  },
  rsolv_validation_executions_total: {
    type: 'counter',
    labels: {
      repo: [],
      language: [],
      framework: [],
      status: [],
    },
  },
  rsolv_validation_duration_milliseconds: {
    type: 'histogram',
    labels: {
      repo: [],
      language: [],
      framework: [],
    },
  },
  rsolv_validation_tests_total: {
    type: 'counter',
    labels: {
      repo: [],
      language: [],
      framework: [],
      outcome: [],
    },
  },
  rsolv_validation_test_reports_total: {
    type: 'counter',
    labels: {
      repo: [],
      language: [],
      framework: [],
    },
  },
  rsolv_validation_inverted_total: {
    type: 'counter',
    labels: {
      repo: [],
      language: [],
      framework: [],
    },
  },
  rsolv_mitigation_executions_total: {
    type: 'counter',
    labels: {
      repo: [],
      language: [],
      framework: [],
      status: [],
    },
  },
  rsolv_mitigation_duration_milliseconds: {
    type: 'histogram',
    labels: {
      repo: [],
      language: [],
      framework: [],
    },
  },
  rsolv_mitigation_trust_score_value: {
    type: 'histogram',
    labels: {
      repo: [],
      language: [],
      framework: [],
    },
  },
  rsolv_time_to_mitigate_seconds: {
    type: 'histogram',
    labels: {
      repo: [],
    },
  },
  rsolv_sessions_total: {
    type: 'counter',
    labels: {
      state: ['pending', 'active', 'completed', 'failed', 'expired'],
    },
  },
  rsolv_session_transitions_total: {
    type: 'counter',
    labels: {
      from: ['none', 'pending', 'active'],
      to: ['pending', 'active', 'expired', 'completed', 'failed'],
    },
  },
  rsolv_sessions_open: {
    type: 'gauge',
    labels: {
      state: [],
    },
  },
  workqueue_depth: {
    type: 'gauge',
    labels: {
      name: [],
    },
  },
  workqueue_adds_total: {
    type: 'counter',
    labels: {
      name: [],
    },
  },
  workqueue_retries_total: {
    type: 'counter',
    labels: {
      name: [],
    },
  },
  workqueue_queue_duration_seconds: {
    type: 'histogram',
    labels: {
      name: [],
    },
  },
  workqueue_work_duration_seconds: {
    type: 'histogram',
    labels: {
      name: [],
    },
  },
  controller_runtime_reconcile_total: {
    type: 'counter',
    labels: {
      controller: [],
      result: [],
    },
  },
  controller_runtime_reconcile_errors_total: {
    type: 'counter',
    labels: {
      controller: [],
    },
  },
  controller_runtime_reconcile_time_seconds: {
    type: 'histogram',
    labels: {
      controller: [],
    },
  },
  phaserun_archived_runs_total: {
    type: 'counter',
    labels: {
      disposition: ['inserted', 'updated', 'unchanged', 'duplicate', 'deleted', 'purged'],
    },
  },
  phaserun_rejected_runs_total: {
    type: 'counter',
    labels: {
      reason: [],
    },
  },
  phaserun_waiting_statuses: {
    type: 'gauge',
    labels: {},
  },
  phaserun_expired_objects_total: {
    type: 'counter',
    labels: {},
  },
  phaserun_background_job_runs_total: {
    type: 'counter',
    labels: {
      background_job: [],
      result: [],
    },
  },
  phaserun_background_job_interval_seconds: {
    type: 'gauge',
    labels: {
      background_job: [],
    },
  },
  phaserun_background_job_last_success_timestamp_seconds: {
    type: 'gauge',
    labels: {
      background_job: [],
    },
  },
  phaserun_abandoned_runs_total: {
    type: 'counter',
    labels: {},
  },
  phaserun_admission_policy_missing: {
    type: 'gauge',
    labels: {
      policy: [],
    },
  },
  phaserun_inbox_attempts_total: {
    type: 'counter',
    labels: {
      outcome: ['published', 'refused', 'postponed'],
    },
  },
  phaserun_inbox_full_total: {
    type: 'counter',
    labels: {},
  },
  phaserun_inbox_runs: {
    type: 'gauge',
    labels: {},
  },
  phaserun_inbox_bytes: {
    type: 'gauge',
    labels: {},
  },
  phaserun_inbox_oldest_age_seconds: {
    type: 'gauge',
    labels: {},
  },
  phaserun_informer_objects: {
    type: 'gauge',
    labels: {
      resource: [],
    },
  },
  phaserun_informer_last_event_timestamp_seconds: {
    type: 'gauge',
    labels: {
      resource: [],
    },
  },
  phaserun_informer_relists_total: {
    type: 'counter',
    labels: {
      resource: [],
    },
  },
  phaserun_informer_restarts_total: {
    type: 'counter',
    labels: {
      resource: [],
      reason: [],
    },
  },
  phaserun_informer_handler_errors_total: {
    type: 'counter',
    labels: {
      resource: [],
    },
  },
  leader_election_master_status: {
    type: 'gauge',
    labels: {
      name: [],
    },
  },
  phaserun_doctor_examined_total: {
    type: 'counter',
    labels: {
      what: ['phaserun', 'execution'],
    },
  },
  phaserun_doctor_discrepancies: {
    type: 'gauge',
    labels: {
      kind: [],
    },
  },
  phaserun_doctor_repairs_total: {
    type: 'counter',
    labels: {},
  },
  phaserun_kubernetes_events_total: {
    type: 'counter',
    labels: {
      outcome: ['written', 'dropped'],
    },
  },
  rest_client_requests_total: {
    type: 'counter',
    labels: {
      verb: [],
      code: [],
    },
  },
  rest_client_request_duration_seconds: {
    type: 'histogram',
    labels: {
      verb: [],
    },
  },
  phaserun_postgres_pool_connections: {
    type: 'gauge',
    labels: {
      state: [],
    },
  },
  phaserun_postgres_connected: {
    type: 'gauge',
    labels: {},
  },
  phaserun_postgres_query_duration_seconds: {
    type: 'histogram',
    labels: {
      query: [],
    },
  },
  phaserun_postgres_query_errors_total: {
    type: 'counter',
    labels: {
      query: [],
    },
  },
  phaserun_redis_command_duration_seconds: {
    type: 'histogram',
    labels: {
      command: ['ping', 'claim', 'keep', 'release', 'count'],
    },
  },
  phaserun_redis_command_errors_total: {
    type: 'counter',
    labels: {
      command: ['ping', 'claim', 'keep', 'release', 'count'],
    },
  },
  phaserun_redis_connected: {
    type: 'gauge',
    labels: {},
  },
  phaserun_retention_removed_rows_total: {
    type: 'counter',
    labels: {
      kind: [
        'executions',
        'payloads',
        'duplicates',
        'sessions',
        'tasks',
        'approvals',
        'quarantined',
        'tombstones',
      ],
    },
  },
  phaserun_retention_last_success_timestamp_seconds: {
    type: 'gauge',
    labels: {
      kind: [],
    },
  },
  phaserun_retention_oldest_execution_age_seconds: {
    type: 'gauge',
    labels: {},
  },
  phaserun_stored_bytes: {
    type: 'gauge',
    labels: {
      table: [],
    },
  },
  phaserun_idempotency_requests_total: {
    type: 'counter',
    labels: {
      outcome: ['executed', 'replayed', 'in_flight', 'reused'],
    },
  },
  phaserun_rate_limited_requests_total: {
    type: 'counter',
    labels: {
      limit: ['customer', 'address'],
    },
  },
  phaserun_shed_requests_total: {
    type: 'counter',
    labels: {
      pressure: ['event_loop', 'in_flight'],
    },
  },
  phaserun_idempotency_keys_deleted_total: {
    type: 'counter',
    labels: {},
  },
  phaserun_audit_accesses_total: {
    type: 'counter',
    labels: {
      event: ['authentication.failed', 'access.denied', 'data.read'],
    },
  },
  phaserun_audit_write_errors_total: {
    type: 'counter',
    labels: {},
  },
  phaserun_audit_sealed_events_total: {
    type: 'counter',
    labels: {},
  },
  phaserun_audit_deleted_events_total: {
    type: 'counter',
    labels: {},
  },
  phaserun_webhook_deliveries_total: {
    type: 'counter',
    labels: {
      outcome: ['delivered', 'retried', 'failed', 'gone'],
    },
  },
  phaserun_webhook_subscriptions_disabled_total: {
    type: 'counter',
    labels: {
      reason: ['gone', 'failing'],
    },
  },
  phaserun_webhook_delivery_duration_seconds: {
    type: 'histogram',
    labels: {},
  },
  phaserun_webhook_deliveries_in_flight: {
    type: 'gauge',
    labels: {},
  },
  phaserun_webhook_outbox_depth: {
    type: 'gauge',
    labels: {},
  },
  phaserun_webhook_outbox_oldest_age_seconds: {
    type: 'gauge',
    labels: {},
  },
  phaserun_webhook_deleted_deliveries_total: {
    type: 'counter',
    labels: {},
  },
} as const;
