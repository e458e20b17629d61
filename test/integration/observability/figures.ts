/** What whoever looks at the dashboard has chosen; absent: everything. */
export interface Choice {
  readonly repo?: string;
  readonly language?: string;
}

/**
 * What each panel of the Phases dashboard has to show, as statements over the tables themselves: rows of `legend` and
 * `value`. None of it goes by the metrics or the views.
 */
export function phasesFigures({ repo, language }: Choice): Readonly<Record<string, string>> {
  const where = (phase: string, hasLanguage: boolean) => `
    (SELECT e.*, r.full_path AS repo FROM ${phase}_executions e JOIN repositories r ON r.id = e.repository_id
     WHERE e.status IN ('completed', 'failed')
       ${repo === undefined ? '' : `AND lower(r.full_path) = '${repo}'`}
       ${language === undefined || !hasLanguage ? '' : `AND ${LANGUAGE} = '${language}'`})`;
  const scans = where('scan', false);
  const validations = `(SELECT v.*, ${verdict('inverted')} AS verdict FROM ${where('validation', true)} v)`;
  const mitigations = `(SELECT m.*, ${verdict('unproven')} AS verdict FROM ${where('mitigation', true)} m)`;
  // A mitigation is counted by its repository alone where it ends the time to mitigate.
  const fixes = where('mitigation', false);
  return {
    'Validation success rate': `SELECT 'validations' AS legend, ${RATE} AS value FROM ${validations} v`,
    'Mitigation success rate': `SELECT 'mitigations' AS legend, ${RATE} AS value FROM ${mitigations} m`,
    Executions: `
      SELECT 'scans' AS legend, count(*)::float8 AS value FROM ${scans} s
      UNION ALL SELECT 'validations', count(*) FROM ${validations} v
      UNION ALL SELECT 'mitigations', count(*) FROM ${mitigations} m`,
    'Average trust score': `SELECT 'trust score' AS legend, avg(trust_score) AS value FROM ${mitigations} m`,
    'Inverted tests': `
      SELECT 'inverted' AS legend, count(*)::float8 AS value FROM ${validations} v WHERE red_green = 'inverted'`,
    'Time to mitigate': `
      SELECT 'average' AS legend, avg(extract(epoch FROM date_trunc('ms', m.updated_at) - (
        SELECT date_trunc('ms', min(v.created_at)) FROM validation_executions v WHERE v.session_id = m.session_id
      )))::float8 AS value
      FROM ${fixes} m
      JOIN session_transitions t ON t.run_id = m.id AND t.to_state = 'completed'
      JOIN sessions s ON s.id = t.session_id AND s.outcome = 'fixed'`,
    'Validations by status': `SELECT verdict AS legend, count(*)::float8 AS value FROM ${validations} v GROUP BY 1`,
    'Mitigations by status': `SELECT verdict AS legend, count(*)::float8 AS value FROM ${mitigations} m GROUP BY 1`,
    'Scans by status': `SELECT status AS legend, count(*)::float8 AS value FROM ${scans} s GROUP BY 1`,
    'Average duration': `
      SELECT 'validation' AS legend, avg(${MS}) AS value FROM ${validations} v
      UNION ALL SELECT 'mitigation', avg(${MS}) FROM ${mitigations} m`,
    '95th percentile of duration': `
      SELECT 'validation' AS legend, (${quantile(0.95, validations)}) AS value
      UNION ALL SELECT 'mitigation', (${quantile(0.95, mitigations)})`,
    'Trust scores': `
      SELECT coalesce(le::text, '+Inf') AS legend, count(*)::float8 AS value
      FROM unnest(ARRAY[0, 10, 20, 30, 40, 50, 60, 70, 80, 90, 100, NULL]::integer[]) le
      JOIN ${mitigations} m ON trust_score <= le OR (le IS NULL AND trust_score IS NOT NULL) GROUP BY 1`,
    Tests: `
      SELECT 'generated' AS legend, sum(${GENERATED})::float8 AS value FROM ${validations} v
      UNION ALL SELECT 'passed', sum((data->>'tests_passed')::float8) FROM ${validations} v
      UNION ALL SELECT 'failed', sum((data->>'tests_failed')::float8) FROM ${validations} v`,
    'Tests per validation': `SELECT 'generated' AS legend, avg(${GENERATED})::float8 AS value FROM ${validations} v`,
    'Vulnerabilities found': `
      SELECT coalesce(found->>'severity', 'unknown') AS legend, count(*)::float8 AS value
      FROM ${scans} s, jsonb_array_elements(data->'vulnerabilities') found GROUP BY 1`,
    'Validations by language': `SELECT ${LANGUAGE} AS legend, count(*)::float8 AS value FROM ${validations} v GROUP BY 1`,
    'Validations by framework': `
      SELECT coalesce(framework, 'unknown') AS legend, count(*)::float8 AS value FROM ${validations} v GROUP BY 1`,
    'Top repositories': `SELECT lower(repo) AS legend, count(*)::float8 AS value FROM ${validations} v GROUP BY 1`,
    'Open sessions': `
      SELECT status AS legend, count(*)::float8 AS value FROM sessions WHERE status IN ('pending', 'active') GROUP BY 1`,
    'Sessions by state entered': `
      SELECT to_state AS legend, count(*)::float8 AS value FROM session_transitions GROUP BY 1`,
  };
}

/** The rows that each panel of the Analytics dashboard has to have of one customer. */
export function analyticsFigures(customerId: string): Readonly<Record<string, string>> {
  const runs = `(
    SELECT r.full_path AS repository, e.*
    FROM (
      SELECT 'scan' AS phase, repository_id, issue_number, run_order, created_at, customer_id, status AS verdict,
        vulnerabilities_count, NULL::float8 AS trust_score, NULL::bigint AS pr_number, NULL::boolean AS validated
      FROM scan_executions
      UNION ALL SELECT 'validation', repository_id, issue_number, run_order, created_at, customer_id, ${verdict('inverted')},
        NULL, NULL, NULL, validated
      FROM validation_executions
      UNION ALL SELECT 'mitigation', repository_id, issue_number, run_order, created_at, customer_id, ${verdict('unproven')},
        NULL, trust_score, pr_number, NULL
      FROM mitigation_executions
    ) e JOIN repositories r ON r.id = e.repository_id WHERE e.customer_id = '${customerId}')`;
  const sessions = `(SELECT * FROM sessions WHERE customer_id = '${customerId}')`;
  const inState = (state: string) => `count(*) FILTER (WHERE status = '${state}') AS ${state}`;
  const ofVerdict = (verdict: string, name: string) =>
    `count(*) FILTER (WHERE verdict = '${verdict}') AS ${name}`;
  // Of each repository the last scan that was completed.
  const funnel = `(
    SELECT
      repository,
      (SELECT l.vulnerabilities_count FROM ${runs} l
        WHERE l.repository = r.repository AND l.phase = 'scan' AND l.verdict = 'completed'
        ORDER BY l.run_order DESC LIMIT 1)::float8 AS found,
      count(DISTINCT issue_number) FILTER (WHERE verdict = 'completed' AND validated)::float8 AS validated,
      count(DISTINCT issue_number) FILTER (WHERE verdict = 'completed' AND pr_number IS NOT NULL)::float8 AS fixed
    FROM ${runs} r GROUP BY repository)`;
  return {
    Executions: `SELECT count(*) AS executions FROM ${runs} r`,
    Repositories: `SELECT count(DISTINCT repository) AS repositories FROM ${runs} r`,
    'Open sessions': `SELECT count(*) AS sessions FROM ${sessions} s WHERE status IN ('pending', 'active')`,
    'Validation success rate': `SELECT ${RATE} AS rate FROM ${runs} r WHERE phase = 'validation'`,
    'Mitigation success rate': `SELECT ${RATE} AS rate FROM ${runs} r WHERE phase = 'mitigation'`,
    'Average trust score': `SELECT avg(trust_score) AS "trust score" FROM ${runs} r`,
    'Success rate by phase and month': `
      SELECT date_trunc('month', created_at, 'UTC') AS time, phase AS metric, ${RATE} AS value
      FROM ${runs} r GROUP BY 1, 2 ORDER BY 1, 2`,
    Funnel: `SELECT sum(found) AS found, sum(validated) AS validated, sum(fixed) AS fixed FROM ${funnel} f`,
    'Sessions by state': `
      SELECT ${['pending', 'active', 'completed', 'failed', 'expired'].map(inState).join(', ')} FROM ${sessions} s`,
    'Funnel by repository': `
      SELECT (SELECT name FROM customers WHERE id = '${customerId}') AS customer, f.* FROM ${funnel} f ORDER BY found DESC`,
    'Runs by repository and phase': `
      SELECT (SELECT name FROM customers WHERE id = '${customerId}') AS customer, repository, phase,
        ${ofVerdict('completed', 'succeeded')}, ${ofVerdict('failed', 'failed')},
        ${ofVerdict('inconclusive', 'inconclusive')}, 0::bigint AS unfinished
      FROM ${runs} r GROUP BY repository, phase ORDER BY count(*) DESC, repository, phase`,
  };
}

const LANGUAGE = `CASE language WHEN 'py' THEN 'python' ELSE coalesce(language, 'unknown') END`;
const RATE = `(count(*) FILTER (WHERE verdict = 'completed'))::float8
  / nullif(count(*) FILTER (WHERE verdict IN ('completed', 'failed')), 0)`;
const MS = `coalesce((data->>'durationMs')::float8, extract(epoch FROM completed_at - started_at)::float8 * 1000)`;
const GENERATED = `coalesce((data->>'tests_generated')::float8, jsonb_array_length(data->'redTests'))`;

function verdict(contradicted: string): string {
  return `CASE
    WHEN data @> '{"validationInconclusive": true}' OR data @> '{"infrastructureFailure": true}' THEN 'inconclusive'
    WHEN status = 'failed' OR red_green = '${contradicted}' THEN 'failed' ELSE 'completed' END`;
}

/** As Prometheus reads a quantile out of buckets: evenly within the one that it lies in. */
function quantile(rank: number, runs: string): string {
  return `
    WITH observed AS (SELECT ${MS} AS ms FROM ${runs} o WHERE ${MS} IS NOT NULL),
    counted AS (
      SELECT le, (SELECT count(*) FROM observed WHERE ms <= le)::float8 AS upto
      FROM unnest(ARRAY[1000, 2500, 5000, 10000, 30000, 60000, 120000, 300000, 600000, 900000, 1200000, 1800000]) le
    ), stepped AS (
      SELECT le, upto, lag(le, 1, 0) OVER w AS above, lag(upto, 1, 0) OVER w AS before FROM counted WINDOW w AS (ORDER BY le)
    )
    SELECT above + (le - above) * (${rank} * n - before) / nullif(upto - before, 0)
    FROM stepped, (SELECT count(*)::float8 AS n FROM observed) total WHERE upto >= ${rank} * n ORDER BY le LIMIT 1`;
}
