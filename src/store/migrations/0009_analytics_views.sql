-- Up Migration

-- For dashboards -----------------------------------------------------------------------------------------
--
-- What the role of DATABASE_READER_ROLE sees, and all that it sees: no payload, no key, no secret, and the customer on
-- every row. Columns may be added; those that are there stay as they are, for dashboards name them.

CREATE VIEW analytics_customers AS
  SELECT id AS customer_id, name AS customer FROM customers;
COMMENT ON VIEW analytics_customers IS 'Whom a dashboard may be narrowed to.';

CREATE VIEW analytics_executions AS
  WITH executions AS (
    SELECT
      'scan' AS phase, id, customer_id, repository_id, session_id, run_order, issue_number, commit_sha, status,
      false AS contradicted, NULL::jsonb AS data, NULL::varchar AS language, NULL::varchar AS framework,
      NULL::boolean AS validated, vulnerabilities_count AS vulnerabilities, NULL::double precision AS trust_score,
      false AS pull_request, NULL::integer AS files_changed, started_at, completed_at, created_at, updated_at
    FROM scan_executions
    UNION ALL
    SELECT
      'validation', id, customer_id, repository_id, session_id, run_order, issue_number, commit_sha, status,
      coalesce(red_green = 'inverted', false), data, language, framework,
      validated, vulnerabilities_found, NULL,
      false, NULL, started_at, completed_at, created_at, updated_at
    FROM validation_executions
    UNION ALL
    SELECT
      'mitigation', id, customer_id, repository_id, session_id, run_order, issue_number, commit_sha, status,
      coalesce(red_green = 'unproven', false), data, language, framework,
      NULL, NULL, trust_score,
      pr_number IS NOT NULL OR pr_url IS NOT NULL, files_changed, started_at, completed_at, created_at, updated_at
    FROM mitigation_executions
  )
  SELECT
    e.id AS execution_id, e.customer_id, c.name AS customer,
    r.forge_type AS forge, (r.namespace || '/' || r.name) AS repository,
    e.phase, e.issue_number, e.commit_sha, e.session_id, e.run_order, e.status,
    CASE
      WHEN e.status NOT IN ('completed', 'failed') THEN 'unfinished'
      WHEN e.data @> '{"validationInconclusive": true}' THEN 'inconclusive'
      -- Where domain/red-green.ts looks for what machinery did rather than tests.
      WHEN EXISTS (
        SELECT FROM
          unnest('{$, $.testExecutionResult, $.testResults, $.testResults.vulnerableCommit, $.testResults.fixedCommit,
            $.testResults.vulnerableCommit.testResults[*], $.testResults.fixedCommit.testResults[*]}'::jsonpath[]) AS place,
          jsonb_path_query(e.data, place) AS part
        WHERE part @> '{"infrastructureFailure": true}' OR part @> '{"hasInfrastructureFailures": true}'
          OR part @> '{"crashed": true}' OR part @> '{"timedOut": true}'
      ) THEN 'inconclusive'
      WHEN e.status = 'failed' OR e.contradicted THEN 'failed'
      ELSE 'succeeded'
    END AS outcome,
    e.language, e.framework, e.validated, e.vulnerabilities, e.trust_score, e.pull_request, e.files_changed,
    e.started_at, e.completed_at, e.created_at, e.updated_at
  FROM executions e
  JOIN customers c ON c.id = e.customer_id
  JOIN repositories r ON r.id = e.repository_id;
COMMENT ON VIEW analytics_executions IS 'Every run of every phase, without what the client stored.';
COMMENT ON COLUMN analytics_executions.repository IS 'namespace/name, lower case.';
COMMENT ON COLUMN analytics_executions.outcome IS
  'succeeded, failed (inverted and unproven ones too), inconclusive (as long as the row has its data) or unfinished: as the '
  'metrics count it.';
COMMENT ON COLUMN analytics_executions.pull_request IS 'Whether a mitigation named one.';

CREATE VIEW analytics_sessions AS
  SELECT
    s.id AS session_id, s.customer_id, c.name AS customer,
    r.forge_type AS forge, (r.namespace || '/' || r.name) AS repository,
    s.subject, s.role, s.status, s.outcome, s.created_at, s.updated_at
  FROM sessions s
  JOIN customers c ON c.id = s.customer_id
  LEFT JOIN repositories r ON r.id = s.repository_id;
COMMENT ON VIEW analytics_sessions IS 'Every session, without its metadata.';

CREATE VIEW analytics_funnel AS
  SELECT
    customer_id, customer, forge, repository, date_trunc('month', created_at, 'UTC') AS month,
    coalesce((
      array_agg(vulnerabilities ORDER BY run_order DESC) FILTER (WHERE phase = 'scan' AND outcome = 'succeeded')
    )[1], 0) AS found,
    count(DISTINCT issue_number) FILTER (WHERE phase = 'validation' AND outcome = 'succeeded' AND validated) AS validated,
    count(DISTINCT issue_number) FILTER (WHERE phase = 'mitigation' AND outcome = 'succeeded' AND pull_request) AS fixed
  FROM analytics_executions
  GROUP BY 1, 2, 3, 4, 5;
COMMENT ON VIEW analytics_funnel IS 'How far what was found came, by repository and month (UTC).';
COMMENT ON COLUMN analytics_funnel.found IS 'Vulnerabilities of the last scan of the month.';
COMMENT ON COLUMN analytics_funnel.validated IS 'Issues with a validation that proved a vulnerability.';
COMMENT ON COLUMN analytics_funnel.fixed IS 'Issues with a mitigation that opened a pull request and was not shown to fix nothing.';
