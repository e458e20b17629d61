-- Up Migration

-- The inbox ------------------------------------------------------------------------------------------

CREATE TABLE inbox_runs (
  store_id             uuid PRIMARY KEY,
  run_id               uuid NOT NULL,
  customer_id          uuid NOT NULL REFERENCES customers (id) ON DELETE CASCADE,
  slot                 text NOT NULL,
  run_order            bigint NOT NULL,
  phase                varchar(16) NOT NULL CHECK (phase IN ('scan', 'validation', 'mitigation')),
  status               varchar(16) NOT NULL CHECK (status IN ('pending', 'running', 'completed', 'failed')),
  commit_sha           text,
  branch               text,
  pipeline_run_id      text,
  sha256               bytea NOT NULL CHECK (octet_length(sha256) = 32),
  size_bytes           integer NOT NULL,
  phase_run_namespace  varchar(253),
  phase_run_name       varchar(253),
  content              text NOT NULL,
  created_at           timestamptz NOT NULL DEFAULT now(),
  attempts             integer NOT NULL DEFAULT 0,
  next_attempt_at      timestamptz NOT NULL DEFAULT now(),
  last_error           text
);
CREATE INDEX inbox_runs_slot ON inbox_runs (customer_id, slot, run_order);
CREATE INDEX inbox_runs_payload ON inbox_runs (customer_id, sha256);
COMMENT ON TABLE inbox_runs IS
  'Results that were accepted while Kubernetes was away, until the leader has made PhaseRuns of them; those of a '
  'slot in their order.';
COMMENT ON COLUMN inbox_runs.store_id IS
  'Of one store: a retry under its Idempotency-Key has the same, and a run of its own has it as its id.';
COMMENT ON COLUMN inbox_runs.run_id IS 'The run that is written: store_id, or that of the run which is moved forward.';
COMMENT ON COLUMN inbox_runs.sha256 IS
  'Of the payload, which is in content up to 16 KiB, else in payloads, where the sweep spares it.';
COMMENT ON COLUMN inbox_runs.phase_run_namespace IS 'Null: whoever publishes knows the namespace of the customer.';
COMMENT ON COLUMN inbox_runs.phase_run_name IS 'Of the PhaseRun that is moved forward, where it is known.';
COMMENT ON COLUMN inbox_runs.content IS 'What else is to be published, as JSON.';
COMMENT ON COLUMN inbox_runs.next_attempt_at IS 'While it is being published: when that attempt counts as lost.';
