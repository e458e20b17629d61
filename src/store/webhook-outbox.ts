import { type FragmentSqlToken, sql } from 'slonik';

/**
 * Goes as a CTE into the statement that makes something happen: writes the outbox, one row for each subscription that wants
 * to know, in the same transaction and without a round trip of its own. What was told before is not told again: its id says
 * so. A subscription that is just being deleted is passed over, and does not fail the statement.
 *
 * @param happened selects customer_id, event_id, event_type, subject and data (jsonb)
 */
function enqueueEvents(happened: FragmentSqlToken): FragmentSqlToken {
  return sql.fragment`
    INSERT INTO webhook_deliveries (customer_id, subscription_id, event_id, event_type, event)
    SELECT happened.customer_id, subscription.id, happened.event_id, happened.event_type, ${envelope}
    FROM (${happened}) AS happened (customer_id, event_id, event_type, subject, data)
    -- OFFSET 0: looked up for each event, through the index, however many subscriptions there are in all.
    CROSS JOIN LATERAL (
      SELECT id FROM webhook_subscriptions
      WHERE customer_id = happened.customer_id AND disabled_at IS NULL AND happened.event_type = ANY(event_types)
      OFFSET 0
      FOR KEY SHARE
    ) AS subscription
    ON CONFLICT (subscription_id, event_id) DO NOTHING`;
}

/** The CloudEvent around what happened: https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md */
export const envelope = sql.fragment`jsonb_build_object(
  'specversion', '1.0',
  'id', happened.event_id,
  'source', '/customers/' || happened.customer_id,
  'type', 'dev.rsolv.' || happened.event_type,
  'subject', happened.subject,
  'time', to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
  'datacontenttype', 'application/json',
  'data', happened.data
)`;

/**
 * Tells of the sessions that reached an end; other steps are passed over. See {@link enqueueEvents}.
 *
 * @param steps selects session_id, customer_id, role, task_id, repository_id, subject, outcome, from_state and to_state,
 *   of the sessions as they are after the step
 */
export function enqueueSessionEvents(steps: FragmentSqlToken): FragmentSqlToken {
  return enqueueEvents(sessionEvents(steps));
}

/**
 * The same for runs, each of which may have done something itself and moved its session as well.
 *
 * @param events selects customer_id, event_id, event_type, subject and data (jsonb); rows without a type tell nothing
 */
export function enqueueRunEvents(events: FragmentSqlToken, steps: FragmentSqlToken): FragmentSqlToken {
  return enqueueEvents(sql.fragment`
    ${events}
    UNION ALL
    ${sessionEvents(steps)}`);
}

function sessionEvents(steps: FragmentSqlToken): FragmentSqlToken {
  return sql.fragment`
    SELECT
      step.customer_id, 'session_' || step.session_id || '_' || step.to_state, 'session.' || step.to_state,
      'session/' || step.session_id,
      jsonb_strip_nulls(jsonb_build_object(
        'sessionId', step.session_id,
        'state', step.to_state,
        'from', step.from_state,
        'agentRole', step.role,
        'taskId', step.task_id,
        'outcome', step.outcome,
        'forge', (SELECT forge_type FROM repositories WHERE id = step.repository_id),
        'repository', (SELECT full_path FROM repositories WHERE id = step.repository_id),
        'subject', step.subject
      ))
    FROM (${steps}) AS step (
      session_id, customer_id, role, task_id, repository_id, subject, outcome, from_state, to_state
    )
    WHERE step.to_state IN ('completed', 'failed', 'expired')`;
}
