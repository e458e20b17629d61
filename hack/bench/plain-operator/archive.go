package main

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// archived is what became of a run that is a row.
type archived struct {
	payload
	session     Session
	committedAt time.Time
	incarnation string
}

// archive turns a run into rows: its session, opened or moved, with a row for each step, its execution and an audit
// event; and it tells who listens. Of a run that is a row already it finds out what became of it then.
func archive(ctx context.Context, tx pgx.Tx, phaseRun *PhaseRun) (archived, error) {
	spec := &phaseRun.Spec
	read, err := readPayload(spec.Phase, spec.Result.Data)
	if err != nil {
		return archived{}, err
	}
	done := archived{payload: read}
	subject := subjectOf(spec)
	slot := strings.Join([]string{spec.CustomerID, spec.Forge, strings.ToLower(spec.Repo), subject}, " ")
	if _, err := tx.Exec(ctx, `SELECT FROM pg_advisory_xact_lock(hashtextextended($1, 0))`, slot); err != nil {
		return archived{}, err
	}
	var repository string
	namespace, name, _ := strings.Cut(strings.ToLower(spec.Repo), "/")
	err = tx.QueryRow(ctx, touchRepository, spec.CustomerID, spec.Forge, namespace, name, spec.Repo).
		Scan(&repository, &done.incarnation, &done.committedAt)
	if err != nil {
		return archived{}, err
	}
	var storedAt *time.Time
	err = tx.QueryRow(ctx, fmt.Sprintf(findSession, spec.Phase), spec.RunID, spec.CustomerID, repository, subject).
		Scan(&done.session.ID, &done.session.State, &storedAt)
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return archived{}, err
	}
	if storedAt != nil {
		done.committedAt = *storedAt
		return done, nil
	}
	return write(ctx, tx, phaseRun, place{repository, subject}, done)
}

// place is where an execution belongs.
type place struct{ repository, subject string }

// write sends all that is to be written of a run in one message.
func write(ctx context.Context, tx pgx.Tx, phaseRun *PhaseRun, at place, done archived) (archived, error) {
	spec := &phaseRun.Spec
	var batch pgx.Batch
	planned := planSession(spec.Phase, spec.Result.Status)
	steps := stepsTo(done.session.State, planned.state)
	if len(steps) > 0 {
		done.session.State = planned.state
	}
	if done.session.ID == "" {
		done.session.ID = uuid.NewString()
		batch.Queue(openSession, done.session.ID, spec.CustomerID, done.session.State, planned.outcome,
			at.repository, at.subject, spec.Order)
	} else {
		batch.Queue(moveSession, done.session.ID, done.session.State, planned.outcome, spec.Order)
	}
	queueExecution(&batch, phaseRun, at, done)
	for _, step := range steps {
		batch.Queue(insertStep, done.session.ID, spec.CustomerID, step.from, step.to, spec.RunID)
	}
	event, err := json.Marshal(auditOf(phaseRun, done))
	if err != nil {
		return archived{}, err
	}
	batch.Queue(insertAudit, spec.CustomerID, string(event))
	notification, err := json.Marshal(notificationOf(spec, done))
	if err != nil {
		return archived{}, err
	}
	batch.Queue(`SELECT pg_notify('phaserun_committed', $1)`, string(notification))
	return done, tx.SendBatch(ctx, &batch).Close()
}

// queueExecution adds to the columns that all phases have those of its own.
func queueExecution(batch *pgx.Batch, phaseRun *PhaseRun, at place, done archived) {
	spec := &phaseRun.Spec
	values := []any{spec.RunID, spec.CustomerID, at.repository, done.session.ID, spec.Order, spec.CommitSHA,
		spec.IssueNumber, spec.Branch, spec.PipelineRunID, spec.Result.Status, string(spec.Result.Data), done.digest[:],
		done.size, apiKeyOf(phaseRun), phaseRun.Namespace, phaseRun.Name}
	switch spec.Phase {
	case "scan":
		batch.Queue(insertScan, append(values, done.summary.Vulnerabilities)...)
	case "validation":
		batch.Queue(insertValidation,
			append(values, done.summary.RedGreen, done.language, done.summary.Vulnerabilities, done.summary.Validated)...)
	case "mitigation":
		batch.Queue(insertMitigation, append(values, done.summary.RedGreen, done.language)...)
	}
}

const (
	touchRepository = `
		WITH known AS (
			SELECT id FROM repositories
			WHERE customer_id = $1 AND forge_type = $2 AND namespace = $3 AND name = $4
				AND last_activity_at > now() - interval '1 minute'
		), touched AS (
			INSERT INTO repositories (customer_id, forge_type, namespace, name, full_path)
			SELECT $1, $2, $3, $4, $5 WHERE NOT EXISTS (SELECT FROM known)
			ON CONFLICT (customer_id, forge_type, namespace, name) DO UPDATE SET last_activity_at = now()
			RETURNING id
		)
		SELECT id, database_incarnation(), now() FROM (TABLE known UNION ALL TABLE touched) AS repository`

	// findSession finds the one of a row that is there already, or the open one that a new row joins.
	findSession = `
		SELECT s.id, s.status, e.updated_at
		FROM %s_executions e JOIN sessions s ON s.id = e.session_id
		WHERE e.id = $1
		UNION ALL
		SELECT id, status, NULL
		FROM sessions
		WHERE customer_id = $2 AND repository_id = $3 AND subject = $4 AND status IN ('pending', 'active')
		ORDER BY 3 NULLS LAST
		LIMIT 1`

	openSession = `
		INSERT INTO sessions (id, customer_id, role, status, outcome, repository_id, subject, last_run_order)
		VALUES ($1, $2, 'phaserun', $3, nullif($4, ''), $5, $6, $7)`

	moveSession = `
		UPDATE sessions
		SET status = $2, outcome = coalesce(nullif($3, ''), outcome), last_run_order = greatest(last_run_order, $4),
			updated_at = now()
		WHERE id = $1`

	insertStep = `
		INSERT INTO session_transitions (session_id, customer_id, from_state, to_state, run_id)
		VALUES ($1, $2, nullif($3, ''), $4, $5)`

	insertAudit = `
		INSERT INTO audit_events (customer_id, event_type, metadata) VALUES ($1, 'phaserun.inserted', $2)`

	columns = `id, customer_id, repository_id, session_id, run_order, commit_sha, issue_number, branch, pipeline_run_id,
		status, data, sha256, size_bytes, api_key_id, phase_run_namespace, phase_run_name`
	parameters = `$1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16`

	insertScan       = `INSERT INTO scan_executions (` + columns + `, vulnerabilities_count) VALUES (` + parameters + `, $17)`
	insertValidation = `
		INSERT INTO validation_executions (` + columns + `, red_green, language, vulnerabilities_found, validated)
		VALUES (` + parameters + `, $17, $18, $19, $20)`
	insertMitigation = `
		INSERT INTO mitigation_executions (` + columns + `, red_green, language)
		VALUES (` + parameters + `, $17, $18)`
)

// subjectOf names what the session of a run is about, within its repository.
func subjectOf(spec *Spec) string {
	// By the rules of the kind a run without a commit has an issue, and so has every run but a scan.
	switch {
	case spec.Phase != "scan":
		return fmt.Sprintf("issue/%d", *spec.IssueNumber)
	case spec.CommitSHA == nil:
		return fmt.Sprintf("scan-issue/%d", *spec.IssueNumber)
	default:
		return "commit/" + *spec.CommitSHA
	}
}

// apiKeyOf answers the one that stored the run, if any did.
func apiKeyOf(phaseRun *PhaseRun) *string {
	if id, ok := phaseRun.Annotations["phases.rsolv.dev/api-key-id"]; ok {
		return &id
	}
	return nil
}

func auditOf(phaseRun *PhaseRun, done archived) map[string]any {
	spec := &phaseRun.Spec
	return map[string]any{
		"runId":        spec.RunID,
		"phase":        spec.Phase,
		"status":       spec.Result.Status,
		"sha256":       hex.EncodeToString(done.digest[:]),
		"repository":   spec.Forge + "/" + strings.ToLower(spec.Repo),
		"issueNumber":  spec.IssueNumber,
		"commitSha":    spec.CommitSHA,
		"apiKeyId":     apiKeyOf(phaseRun),
		"phaseRun":     phaseRun.Namespace + "/" + phaseRun.Name,
		"executionId":  spec.RunID,
		"sessionId":    done.session.ID,
		"sessionState": done.session.State,
	}
}

func notificationOf(spec *Spec, done archived) map[string]any {
	return map[string]any{
		"runId":        spec.RunID,
		"disposition":  "inserted",
		"sha256":       hex.EncodeToString(done.digest[:]),
		"status":       spec.Result.Status,
		"executionId":  spec.RunID,
		"sessionId":    done.session.ID,
		"sessionState": done.session.State,
	}
}
