package main

import (
	"encoding/hex"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// describe makes the status of a PhaseRun that of one whose run is a row.
func (done archived) describe(phaseRun *PhaseRun) {
	spec, status := &phaseRun.Spec, &phaseRun.Status
	status.ObservedGeneration = phaseRun.Generation
	status.Archive = &Archive{
		ExecutionID: spec.RunID,
		SHA256:      hex.EncodeToString(done.digest[:]),
		CommittedAt: done.committedAt.UTC().Format(time.RFC3339Nano),
		Order:       spec.Order,
		Incarnation: done.incarnation,
	}
	status.Session = &done.session
	status.Summary = &done.summary
	for _, condition := range []metav1.Condition{
		{
			Type:    "Accepted",
			Status:  metav1.ConditionTrue,
			Reason:  "Accepted",
			Message: "the run belongs to customer " + spec.CustomerID,
		},
		{
			Type:   "Archived",
			Status: metav1.ConditionTrue,
			Reason: "Stored",
			Message: "committed as execution " + spec.RunID + " of " + spec.Phase + "_executions; " +
				"this PhaseRun stays until somebody deletes it",
		},
		sessionCondition(spec, done.session),
	} {
		condition.ObservedGeneration = phaseRun.Generation
		meta.SetStatusCondition(&status.Conditions, condition)
	}
}

func sessionCondition(spec *Spec, session Session) metav1.Condition {
	planned := planSession(spec.Phase, spec.Result.Status)
	condition := metav1.Condition{
		Type:    "SessionAdvanced",
		Status:  metav1.ConditionTrue,
		Reason:  "Advanced",
		Message: "session " + session.ID + " is " + session.State + planned.note,
	}
	if session.State != planned.state {
		condition.Status, condition.Reason = metav1.ConditionFalse, "Unchanged"
		condition.Message = "session " + session.ID + " is " + session.State + "; this run called for " + planned.state
	}
	return condition
}
