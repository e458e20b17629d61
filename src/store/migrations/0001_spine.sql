-- Up Migration

-- Tenants and how they are let in ------------------------------------------------------------------

CREATE TABLE customers (
  id          uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  name        varchar(100) NOT NULL UNIQUE,
  created_at  timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE customers IS 'Tenants. Every row of every other table belongs to one.';

CREATE TABLE api_keys (
  id             varchar(32) PRIMARY KEY,
  customer_id    uuid NOT NULL REFERENCES customers (id) ON DELETE CASCADE,
  name           varchar(100) NOT NULL,
  secret_sha256  bytea NOT NULL CHECK (octet_length(secret_sha256) = 32),
  scopes         text[] NOT NULL CHECK (scopes <@ ARRAY['phases:read', 'phases:write', 'sessions', 'admin']),
  created_at     timestamptz NOT NULL DEFAULT now(),
  expires_at     timestamptz,
  revoked_at     timestamptz,
  last_used_at   timestamptz
);
CREATE INDEX api_keys_by_customer ON api_keys (customer_id);
COMMENT ON TABLE api_keys IS 'Keys of the form rsolv_<id>_<secret>.';
COMMENT ON COLUMN api_keys.secret_sha256 IS 'SHA-256 of the secret, which itself is kept nowhere.';
COMMENT ON COLUMN api_keys.last_used_at IS 'Noted in batches: a little behind.';

CREATE TABLE forge_accounts (
  id           uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  customer_id  uuid NOT NULL REFERENCES customers (id) ON DELETE CASCADE,
  forge_type   varchar(16) NOT NULL CHECK (forge_type IN ('github', 'gitlab')),
  namespace    varchar(500) NOT NULL CHECK (namespace = lower(namespace) AND namespace <> ''),
  verified_at  timestamptz,
  metadata     jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(metadata) = 'object'),
  created_at   timestamptz NOT NULL DEFAULT now(),
  updated_at   timestamptz NOT NULL DEFAULT now(),
  UNIQUE (customer_id, forge_type, namespace)
);
CREATE UNIQUE INDEX forge_accounts_one_verified_owner ON forge_accounts (forge_type, namespace)
  WHERE verified_at IS NOT NULL;
COMMENT ON TABLE forge_accounts IS
  'Forge namespaces that customers claim. Of nested ones the longest verified decides.';
COMMENT ON COLUMN forge_accounts.namespace IS 'Lower case: both forges compare names without regard to case.';
COMMENT ON COLUMN forge_accounts.verified_at IS 'Null: claimed only; it opens nothing.';

CREATE TABLE repositories (
  id                uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  customer_id       uuid NOT NULL REFERENCES customers (id) ON DELETE CASCADE,
  forge_type        varchar(16) NOT NULL CHECK (forge_type IN ('github', 'gitlab')),
  namespace         varchar(500) NOT NULL CHECK (namespace = lower(namespace)),
  name              varchar(255) NOT NULL CHECK (name = lower(name)),
  full_path         varchar(756) NOT NULL,
  first_seen_at     timestamptz NOT NULL DEFAULT now(),
  last_activity_at  timestamptz NOT NULL DEFAULT now(),
  metadata          jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(metadata) = 'object'),
  UNIQUE (customer_id, forge_type, namespace, name)
);
COMMENT ON TABLE repositories IS
  'Made by the first run that names them. Namespace and name, in lower case, identify.';
COMMENT ON COLUMN repositories.full_path IS 'As it was first spelled, for people.';
COMMENT ON COLUMN repositories.last_activity_at IS 'To the minute.';

-- Sessions ------------------------------------------------------------------------------------------

CREATE TABLE sessions (
  id              uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  customer_id     uuid NOT NULL REFERENCES customers (id) ON DELETE CASCADE,
  role            varchar(50) NOT NULL,
  task_id         uuid,
  status          varchar(16) NOT NULL DEFAULT 'pending'
                  CHECK (status IN ('pending', 'active', 'completed', 'failed', 'expired')),
  outcome         varchar(32) CHECK (outcome IN ('fixed', 'false_positive', 'unproven')),
  repository_id   uuid REFERENCES repositories (id) ON DELETE CASCADE,
  subject         text,
  last_run_order  bigint,
  metadata        jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(metadata) = 'object'),
  created_at      timestamptz NOT NULL DEFAULT now(),
  updated_at      timestamptz NOT NULL DEFAULT now(),
  CHECK ((repository_id IS NULL) = (subject IS NULL))
);
CREATE UNIQUE INDEX sessions_one_open ON sessions (customer_id, repository_id, subject)
  WHERE status IN ('pending', 'active') AND subject IS NOT NULL;
CREATE INDEX sessions_by_subject ON sessions (customer_id, repository_id, subject, last_run_order DESC)
  WHERE subject IS NOT NULL;
CREATE INDEX sessions_by_task ON sessions (customer_id, task_id) WHERE task_id IS NOT NULL;
CREATE INDEX sessions_by_status ON sessions (customer_id, status, created_at DESC);
CREATE INDEX sessions_newest_first ON sessions (customer_id, created_at DESC, id DESC);
COMMENT ON TABLE sessions IS 'Work on an issue or a commit, driven by phase runs, or by an agent.';
COMMENT ON COLUMN sessions.role IS 'phaserun where phase runs drive it, else the role of the agent.';
COMMENT ON COLUMN sessions.subject IS
  'issue/1204, commit/7776c71 or scan-issue/1204; null for a session that an agent opened.';
COMMENT ON COLUMN sessions.outcome IS 'How the work came out, where a run said so.';
COMMENT ON COLUMN sessions.last_run_order IS
  'The greatest order of the runs that moved or joined it while it was open.';

CREATE TABLE session_transitions (
  session_id   uuid NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
  customer_id  uuid NOT NULL REFERENCES customers (id) ON DELETE CASCADE,
  from_state   varchar(16),
  to_state     varchar(16) NOT NULL,
  run_id       uuid,
  created_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (session_id, to_state)
);
COMMENT ON TABLE session_transitions IS
  'Each step of each session. The states form no cycle, so a session enters each at most once: the key is '
  'the proof that no step is recorded twice.';
COMMENT ON COLUMN session_transitions.from_state IS 'Null for the state that a session is born in.';
COMMENT ON COLUMN session_transitions.run_id IS 'The run that caused it.';

-- Executions ----------------------------------------------------------------------------------------

CREATE SEQUENCE run_order INCREMENT BY 1024 MINVALUE 1024 START WITH 1024;
COMMENT ON SEQUENCE run_order IS
  'Order of runs within their slots. The gap of 1,024 leaves room for runs that are ordered by '
  'compare-and-swap over PhaseRuns while Postgres is out of reach.';

CREATE TABLE scan_executions (
  id                     uuid PRIMARY KEY,
  customer_id            uuid NOT NULL REFERENCES customers (id) ON DELETE CASCADE,
  repository_id          uuid NOT NULL REFERENCES repositories (id) ON DELETE CASCADE,
  session_id             uuid REFERENCES sessions (id) ON DELETE SET NULL,
  run_order              bigint NOT NULL,
  commit_sha             text,
  issue_number           bigint CHECK (issue_number > 0),
  branch                 text,
  pipeline_run_id        text,
  status                 varchar(16) NOT NULL CHECK (status IN ('pending', 'running', 'completed', 'failed')),
  vulnerabilities_count  integer,
  data                   jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(data) = 'object'),
  sha256                 bytea NOT NULL CHECK (octet_length(sha256) = 32),
  size_bytes             integer NOT NULL,
  started_at             timestamptz,
  completed_at           timestamptz,
  error_message          text,
  api_key_id             varchar(32),
  phase_run_namespace    varchar(253) NOT NULL,
  phase_run_name         varchar(253) NOT NULL,
  created_at             timestamptz NOT NULL DEFAULT now(),
  updated_at             timestamptz NOT NULL DEFAULT now(),
  CHECK (commit_sha IS NOT NULL OR issue_number IS NOT NULL)
);
CREATE INDEX scan_executions_slot ON scan_executions (customer_id, repository_id, commit_sha, run_order DESC);
CREATE INDEX scan_executions_slot_without_commit
  ON scan_executions (customer_id, repository_id, issue_number, run_order DESC) WHERE commit_sha IS NULL;
CREATE INDEX scan_executions_session ON scan_executions (session_id);
CREATE INDEX scan_executions_running
  ON scan_executions (customer_id, repository_id, pipeline_run_id, run_order DESC) WHERE status = 'running';
COMMENT ON TABLE scan_executions IS
  'Results of the scan phase, one row a run; append-only but for the progress of one run.';
COMMENT ON COLUMN scan_executions.run_order IS
  'Place within the slot (customer, repository, commit, or issue where there is no commit); the greatest is '
  'the newest.';
COMMENT ON COLUMN scan_executions.data IS 'What the client stored, as it is.';
COMMENT ON COLUMN scan_executions.sha256 IS 'Of the canonical JSON of data (RFC 8785).';
COMMENT ON COLUMN scan_executions.size_bytes IS 'Of the canonical JSON of data.';
COMMENT ON COLUMN scan_executions.phase_run_name IS 'The PhaseRun that brought it; it may be gone.';

CREATE TABLE validation_executions (
  id                     uuid PRIMARY KEY,
  customer_id            uuid NOT NULL REFERENCES customers (id) ON DELETE CASCADE,
  repository_id          uuid NOT NULL REFERENCES repositories (id) ON DELETE CASCADE,
  session_id             uuid REFERENCES sessions (id) ON DELETE SET NULL,
  run_order              bigint NOT NULL,
  commit_sha             text,
  issue_number           bigint NOT NULL CHECK (issue_number > 0),
  branch                 text,
  pipeline_run_id        text,
  status                 varchar(16) NOT NULL CHECK (status IN ('pending', 'running', 'completed', 'failed')),
  validated              boolean,
  vulnerabilities_found  integer,
  red_green              varchar(16) CHECK (red_green IN ('proven', 'inverted', 'unknown')),
  language               varchar(100),
  framework              varchar(100),
  data                   jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(data) = 'object'),
  sha256                 bytea NOT NULL CHECK (octet_length(sha256) = 32),
  size_bytes             integer NOT NULL,
  started_at             timestamptz,
  completed_at           timestamptz,
  error_message          text,
  api_key_id             varchar(32),
  phase_run_namespace    varchar(253) NOT NULL,
  phase_run_name         varchar(253) NOT NULL,
  created_at             timestamptz NOT NULL DEFAULT now(),
  updated_at             timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX validation_executions_slot
  ON validation_executions (customer_id, repository_id, issue_number, run_order DESC);
CREATE INDEX validation_executions_session ON validation_executions (session_id);
CREATE INDEX validation_executions_running
  ON validation_executions (customer_id, repository_id, issue_number, pipeline_run_id, run_order DESC) WHERE status = 'running';
COMMENT ON TABLE validation_executions IS
  'Results of the validation phase, one row a run; append-only but for the progress of one run.';
COMMENT ON COLUMN validation_executions.run_order IS
  'Place within the slot (customer, repository, issue); the greatest is the newest.';
COMMENT ON COLUMN validation_executions.data IS 'What the client stored, as it is.';
COMMENT ON COLUMN validation_executions.red_green IS 'How its tests went on the vulnerable commit.';
COMMENT ON COLUMN validation_executions.sha256 IS 'Of the canonical JSON of data (RFC 8785).';
COMMENT ON COLUMN validation_executions.size_bytes IS 'Of the canonical JSON of data.';
COMMENT ON COLUMN validation_executions.phase_run_name IS 'The PhaseRun that brought it; it may be gone.';

CREATE TABLE mitigation_executions (
  id                     uuid PRIMARY KEY,
  customer_id            uuid NOT NULL REFERENCES customers (id) ON DELETE CASCADE,
  repository_id          uuid NOT NULL REFERENCES repositories (id) ON DELETE CASCADE,
  session_id             uuid REFERENCES sessions (id) ON DELETE SET NULL,
  run_order              bigint NOT NULL,
  commit_sha             text,
  issue_number           bigint NOT NULL CHECK (issue_number > 0),
  branch                 text,
  pipeline_run_id        text,
  status                 varchar(16) NOT NULL CHECK (status IN ('pending', 'running', 'completed', 'failed')),
  pr_url                 text,
  pr_number              bigint CHECK (pr_number > 0),
  files_changed          integer,
  trust_score            double precision CHECK (trust_score BETWEEN 0 AND 100),
  red_green              varchar(16) CHECK (red_green IN ('proven', 'unproven', 'unknown')),
  language               varchar(100),
  framework              varchar(100),
  data                   jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(data) = 'object'),
  sha256                 bytea NOT NULL CHECK (octet_length(sha256) = 32),
  size_bytes             integer NOT NULL,
  started_at             timestamptz,
  completed_at           timestamptz,
  error_message          text,
  api_key_id             varchar(32),
  phase_run_namespace    varchar(253) NOT NULL,
  phase_run_name         varchar(253) NOT NULL,
  created_at             timestamptz NOT NULL DEFAULT now(),
  updated_at             timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX mitigation_executions_slot
  ON mitigation_executions (customer_id, repository_id, issue_number, run_order DESC);
CREATE INDEX mitigation_executions_session ON mitigation_executions (session_id);
CREATE INDEX mitigation_executions_running
  ON mitigation_executions (customer_id, repository_id, issue_number, pipeline_run_id, run_order DESC) WHERE status = 'running';
COMMENT ON TABLE mitigation_executions IS
  'Results of the mitigation phase, one row a run; append-only but for the progress of one run.';
COMMENT ON COLUMN mitigation_executions.run_order IS
  'Place within the slot (customer, repository, issue); the greatest is the newest.';
COMMENT ON COLUMN mitigation_executions.data IS 'What the client stored, as it is.';
COMMENT ON COLUMN mitigation_executions.red_green IS
  'How its tests went on the vulnerable commit and after the fix.';
COMMENT ON COLUMN mitigation_executions.trust_score IS '0 to 100; null where nothing tells.';
COMMENT ON COLUMN mitigation_executions.sha256 IS 'Of the canonical JSON of data (RFC 8785).';
COMMENT ON COLUMN mitigation_executions.size_bytes IS 'Of the canonical JSON of data.';
COMMENT ON COLUMN mitigation_executions.phase_run_name IS 'The PhaseRun that brought it; it may be gone.';

CREATE TABLE duplicate_runs (
  run_id        uuid PRIMARY KEY,
  customer_id   uuid NOT NULL REFERENCES customers (id) ON DELETE CASCADE,
  phase         varchar(16) NOT NULL CHECK (phase IN ('scan', 'validation', 'mitigation')),
  execution_id  uuid NOT NULL,
  status        varchar(16) NOT NULL,
  sha256        bytea NOT NULL CHECK (octet_length(sha256) = 32),
  created_at    timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX duplicate_runs_created ON duplicate_runs (created_at);
COMMENT ON TABLE duplicate_runs IS
  'Runs that repeated their neighbour in the slot and have no row of their own: each stands for that row, '
  'as long as it says what it said then (status, sha256).';

CREATE TABLE slot_tombstones (
  customer_id   uuid NOT NULL REFERENCES customers (id) ON DELETE CASCADE,
  slot          text NOT NULL,
  up_to_order   bigint NOT NULL,
  created_at    timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (customer_id, slot)
);
COMMENT ON TABLE slot_tombstones IS
  'Deletion on request: runs of this slot up to this order store nothing any more.';

CREATE TABLE run_tombstones (
  run_id       uuid PRIMARY KEY,
  customer_id  uuid NOT NULL REFERENCES customers (id) ON DELETE CASCADE,
  reason       varchar(16) NOT NULL CHECK (reason IN ('purged', 'deleted')),
  sha256       bytea NOT NULL CHECK (octet_length(sha256) = 32),
  created_at   timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE run_tombstones IS
  'Runs whose row was purged or deleted, and is not written again by an object that still lives.';

CREATE TABLE quarantined_runs (
  run_id               uuid PRIMARY KEY,
  customer_id          uuid NOT NULL REFERENCES customers (id) ON DELETE CASCADE,
  phase                varchar(16) NOT NULL,
  slot                 text NOT NULL,
  phase_run_namespace  varchar(253) NOT NULL,
  phase_run_name       varchar(253) NOT NULL,
  sqlstate             varchar(5) NOT NULL,
  message              text NOT NULL,
  sha256               bytea NOT NULL CHECK (octet_length(sha256) = 32),
  content              bytea NOT NULL,
  created_at           timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX quarantined_runs_by_customer ON quarantined_runs (customer_id, created_at DESC);
COMMENT ON TABLE quarantined_runs IS
  'What Postgres refused for its content: kept whole, visible, never retried blindly.';
COMMENT ON COLUMN quarantined_runs.content IS 'The run as JSON in UTF-8.';

CREATE TABLE payloads (
  customer_id  uuid NOT NULL REFERENCES customers (id) ON DELETE CASCADE,
  sha256       bytea NOT NULL CHECK (octet_length(sha256) = 32),
  data         jsonb NOT NULL CHECK (jsonb_typeof(data) = 'object'),
  size_bytes   integer NOT NULL,
  touched_at   timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (customer_id, sha256)
);
CREATE INDEX payloads_touched ON payloads (touched_at);
COMMENT ON TABLE payloads IS
  'Payloads too large to be carried by a PhaseRun, which refers to them by digest. Rows keep copies of '
  'their own, so that a payload is needed only until its runs are archived.';

-- Audit ---------------------------------------------------------------------------------------------

CREATE TABLE audit_events (
  id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  customer_id  uuid REFERENCES customers (id) ON DELETE CASCADE,
  event_type   varchar(100) NOT NULL,
  role         varchar(50),
  timestamp    timestamptz NOT NULL DEFAULT clock_timestamp(),
  trace_id     text,
  metadata     jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(metadata) = 'object')
);
CREATE INDEX audit_events_newest_first ON audit_events (customer_id, timestamp DESC, id DESC);
CREATE INDEX audit_events_by_trace ON audit_events (customer_id, trace_id) WHERE trace_id IS NOT NULL;
CREATE INDEX audit_events_by_type ON audit_events (customer_id, event_type, timestamp DESC);
COMMENT ON TABLE audit_events IS 'What happened, append-only.';

-- Which database this is ----------------------------------------------------------------------------

CREATE FUNCTION database_incarnation() RETURNS text
  LANGUAGE sql STABLE PARALLEL RESTRICTED
  RETURN (
    SELECT left(encode(sha256(convert_to(
      (SELECT system_identifier FROM pg_control_system())::text
        || '/' || (SELECT oid FROM pg_database WHERE datname = current_database())::text
        || '/' || CASE WHEN pg_is_in_recovery() THEN 'replica' ELSE left(pg_walfile_name(pg_current_wal_lsn()), 8) END,
      'UTF8')), 'hex'), 16)
  );
COMMENT ON FUNCTION database_incarnation() IS
  'Names this database in receipts. Another name when the cluster is another (initdb), the database is '
  'another (dump and restore) or history forked (recovery, promotion: the timeline), so that a receipt '
  'never vouches for a row that a restore took away.';
