-- Up Migration

-- What agents hand to each other -------------------------------------------------------------------

CREATE TABLE tasks (
  id               uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  customer_id      uuid NOT NULL REFERENCES customers (id) ON DELETE CASCADE,
  task_type        varchar(50) NOT NULL,
  description      text,
  from_role        varchar(50),
  to_role          varchar(50) NOT NULL,
  data             jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(data) = 'object'),
  context          jsonb,
  status           varchar(16) NOT NULL DEFAULT 'accepted'
                   CHECK (status IN ('accepted', 'pending', 'active', 'completed', 'failed', 'expired')),
  trace_id         text,
  idempotency_key  uuid,
  created_at       timestamptz NOT NULL DEFAULT now(),
  completed_at     timestamptz,
  UNIQUE (customer_id, idempotency_key)
);
CREATE INDEX tasks_newest_first ON tasks (customer_id, created_at DESC, id DESC);
CREATE INDEX tasks_by_target ON tasks (customer_id, to_role, created_at DESC, id DESC);
CREATE INDEX tasks_by_status ON tasks (customer_id, status, created_at DESC, id DESC);
CREATE INDEX tasks_by_trace ON tasks (customer_id, trace_id) WHERE trace_id IS NOT NULL;
COMMENT ON TABLE tasks IS 'Work that was routed to agents of a role.';
COMMENT ON COLUMN tasks.from_role IS 'Who routed it, where that was said.';
COMMENT ON COLUMN tasks.to_role IS 'Its target.';
COMMENT ON COLUMN tasks.status IS 'accepted until a session carries it, and from then on the state of that session.';
COMMENT ON COLUMN tasks.idempotency_key IS
  'Of the request that routed it; the same key of the same customer finds it again, for ever.';

CREATE FUNCTION follow_session() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  UPDATE tasks
  SET
    status = NEW.status,
    completed_at = CASE WHEN NEW.status IN ('completed', 'failed') THEN now() END
  WHERE id = NEW.task_id AND customer_id = NEW.customer_id AND status NOT IN ('completed', 'failed');
  RETURN NULL;
END
$$;
COMMENT ON FUNCTION follow_session() IS
  'Gives a task the state of the session that carries it, whoever moves the session: an agent, a run or time. '
  'A task that was completed or has failed stays so.';
CREATE TRIGGER sessions_lead_tasks AFTER INSERT OR UPDATE OF status, task_id ON sessions
  FOR EACH ROW WHEN (NEW.task_id IS NOT NULL) EXECUTE FUNCTION follow_session();

CREATE TABLE approvals (
  id             uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  customer_id    uuid NOT NULL REFERENCES customers (id) ON DELETE CASCADE,
  task_id        varchar(255) NOT NULL,
  approver_role  varchar(50),
  status         varchar(16) NOT NULL DEFAULT 'pending' CHECK (status IN ('pending', 'approved', 'rejected')),
  reason         text,
  notes          text,
  created_at     timestamptz NOT NULL DEFAULT now(),
  decision_at    timestamptz,
  CHECK ((status = 'pending') = (decision_at IS NULL))
);
CREATE INDEX approvals_newest_first ON approvals (customer_id, created_at DESC, id DESC);
CREATE INDEX approvals_by_task ON approvals (customer_id, task_id, created_at DESC, id DESC);
CREATE INDEX approvals_by_status ON approvals (customer_id, status, created_at DESC, id DESC);
COMMENT ON TABLE approvals IS 'Questions to somebody who may decide. A decision is final.';
COMMENT ON COLUMN approvals.task_id IS 'Any text: tasks of other systems are approved here too.';
COMMENT ON COLUMN approvals.reason IS 'Why approval is asked for, or why it was decided so.';
COMMENT ON COLUMN approvals.notes IS 'Comments of whoever asked or decided.';

CREATE TABLE profiles (
  role          varchar(50) PRIMARY KEY,
  capabilities  text[] NOT NULL,
  metadata      jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(metadata) = 'object'),
  updated_at    timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE profiles IS
  'What agents of a role can do. They belong to the installation: every customer sees the same.';
INSERT INTO profiles (role, capabilities, metadata) VALUES
  (
    'finance', ARRAY['budget_review', 'cost_estimation', 'expense_approval', 'financial_reporting'],
    '{"description": "Watches budgets and costs."}'
  ),
  (
    'manager', ARRAY['approval', 'prioritisation', 'status_reporting', 'task_assignment'],
    '{"description": "Hands out work and decides what is asked of it."}'
  ),
  (
    'engineering', ARRAY['code_review', 'incident_response', 'vulnerability_mitigation', 'vulnerability_validation'],
    '{"description": "Finds, proves and mends faults in code."}'
  ),
  (
    'marketing', ARRAY['announcement', 'campaign_planning', 'content_creation'],
    '{"description": "Tells the world."}'
  ),
  (
    'support', ARRAY['customer_communication', 'escalation', 'ticket_triage'],
    '{"description": "Helps customers, and passes on what they report."}'
  );

-- Sessions -----------------------------------------------------------------------------------------

DROP INDEX sessions_by_status;
CREATE INDEX sessions_by_status ON sessions (customer_id, status, created_at DESC, id DESC);
CREATE INDEX sessions_by_role ON sessions (customer_id, role, created_at DESC, id DESC);
CREATE INDEX sessions_open_by_age ON sessions (created_at) WHERE status IN ('pending', 'active');

-- For people ---------------------------------------------------------------------------------------

CREATE VIEW active_sessions AS
  SELECT id, role, task_id, created_at, updated_at, customer_id
  FROM sessions
  WHERE status = 'active'
  ORDER BY updated_at DESC;
COMMENT ON VIEW active_sessions IS 'Sessions that somebody works in; what moved last comes first.';

CREATE VIEW pending_approvals AS
  SELECT a.id, a.task_id, a.approver_role, a.created_at, t.description, t.from_role, t.to_role, a.customer_id
  FROM approvals a
  LEFT JOIN tasks t ON t.customer_id = a.customer_id AND t.id = CASE
    WHEN a.task_id ~* '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' THEN a.task_id::uuid
  END
  WHERE a.status = 'pending'
  ORDER BY a.created_at;
COMMENT ON VIEW pending_approvals IS 'What waits for a decision, the oldest first; with its task where that is ours.';
