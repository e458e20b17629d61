-- Up Migration

-- How long things are kept -----------------------------------------------------------------------------

CREATE TABLE retention_policies (
  customer_id     uuid NOT NULL REFERENCES customers (id) ON DELETE CASCADE,
  phase           varchar(16) CHECK (phase IN ('scan', 'validation', 'mitigation')),
  execution_days  integer CHECK (execution_days >= 0),
  payload_days    integer CHECK (payload_days >= 0),
  updated_at      timestamptz NOT NULL DEFAULT now(),
  UNIQUE NULLS NOT DISTINCT (customer_id, phase),
  CHECK (execution_days IS NOT NULL OR payload_days IS NOT NULL)
);
COMMENT ON TABLE retention_policies IS
  'Where a customer departs from what the installation is set to: for one phase, else for all, else the setting.';
COMMENT ON COLUMN retention_policies.phase IS 'Null: all that have no policy of their own.';
COMMENT ON COLUMN retention_policies.execution_days IS 'How long rows are kept; 0: for ever; null: as elsewhere.';
COMMENT ON COLUMN retention_policies.payload_days IS
  'How long rows keep their data; 0: as long as they are there; null: as elsewhere.';

CREATE TABLE retention_settings (
  only_row     boolean PRIMARY KEY DEFAULT true CHECK (only_row),
  settings     jsonb NOT NULL CHECK (jsonb_typeof(settings) = 'object'),
  recorded_at  timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE retention_settings IS
  'One row: what the controller is set to, so that a command line, whatever its environment, goes by the same.';

CREATE TABLE legal_holds (
  id            uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  customer_id   uuid NOT NULL REFERENCES customers (id),
  forge_type    varchar(16) CHECK (forge_type IN ('github', 'gitlab')),
  namespace     varchar(500) CHECK (namespace = lower(namespace)),
  name          varchar(255) CHECK (name = lower(name)),
  issue_number  bigint CHECK (issue_number > 0),
  reason        varchar(500) NOT NULL,
  created_at    timestamptz NOT NULL DEFAULT now(),
  UNIQUE NULLS NOT DISTINCT (customer_id, forge_type, namespace, name, issue_number),
  CHECK ((forge_type IS NULL) = (name IS NULL) AND (namespace IS NULL) = (name IS NULL)),
  CHECK (issue_number IS NULL OR name IS NOT NULL)
);
COMMENT ON TABLE legal_holds IS
  'What retention and deletion on request leave alone: all of a customer, a repository, or an issue of one. The customer '
  'itself cannot be deleted while it has one.';
COMMENT ON COLUMN legal_holds.name IS 'Of the repository, which need not be known yet; null: all of the customer.';

-- Rows without their data --------------------------------------------------------------------------------

ALTER TABLE scan_executions ADD COLUMN data_dropped_at timestamptz;
ALTER TABLE validation_executions ADD COLUMN data_dropped_at timestamptz;
ALTER TABLE mitigation_executions ADD COLUMN data_dropped_at timestamptz;
COMMENT ON COLUMN scan_executions.data_dropped_at IS
  'When retention took data away; sha256 and size_bytes, and what was derived, still tell of it.';
COMMENT ON COLUMN validation_executions.data_dropped_at IS
  'When retention took data away; sha256 and size_bytes, and what was derived, still tell of it.';
COMMENT ON COLUMN mitigation_executions.data_dropped_at IS
  'When retention took data away; sha256 and size_bytes, and what was derived, still tell of it.';

-- What is old ----------------------------------------------------------------------------------------------

CREATE INDEX scan_executions_by_age ON scan_executions (customer_id, updated_at, id);
CREATE INDEX validation_executions_by_age ON validation_executions (customer_id, updated_at, id);
CREATE INDEX mitigation_executions_by_age ON mitigation_executions (customer_id, updated_at, id);
CREATE INDEX scan_executions_with_data ON scan_executions (customer_id, updated_at, id)
  WHERE data_dropped_at IS NULL AND status IN ('completed', 'failed');
CREATE INDEX validation_executions_with_data ON validation_executions (customer_id, updated_at, id)
  WHERE data_dropped_at IS NULL AND status IN ('completed', 'failed');
CREATE INDEX mitigation_executions_with_data ON mitigation_executions (customer_id, updated_at, id)
  WHERE data_dropped_at IS NULL AND status IN ('completed', 'failed');
CREATE INDEX duplicate_runs_by_execution ON duplicate_runs (execution_id);
CREATE INDEX sessions_closed_by_age ON sessions (updated_at, id) WHERE status IN ('completed', 'failed', 'expired');
CREATE INDEX tasks_by_age ON tasks (created_at, id);
CREATE INDEX approvals_by_age ON approvals (created_at, id);
CREATE INDEX quarantined_runs_by_age ON quarantined_runs (created_at, run_id);
CREATE INDEX run_tombstones_by_age ON run_tombstones (created_at, run_id);
CREATE INDEX slot_tombstones_by_age ON slot_tombstones (created_at, customer_id, slot);
