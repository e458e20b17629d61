package main

import (
	"encoding/json"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// PhaseRun is what is read and written of the kind.
type PhaseRun struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`
	Spec              Spec   `json:"spec"`
	Status            Status `json:"status,omitempty"`
}

// PhaseRunList is a list of the kind.
type PhaseRunList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []PhaseRun `json:"items"`
}

// Spec says what is to be kept.
type Spec struct {
	Phase                   string  `json:"phase"`
	Forge                   string  `json:"forge"`
	Repo                    string  `json:"repo"`
	IssueNumber             *int64  `json:"issueNumber,omitempty"`
	CommitSHA               *string `json:"commitSha,omitempty"`
	Branch                  *string `json:"branch,omitempty"`
	PipelineRunID           *string `json:"pipelineRunId,omitempty"`
	RunID                   string  `json:"runId"`
	CustomerID              string  `json:"customerId"`
	Order                   int64   `json:"order"`
	Result                  Result  `json:"result"`
	TTLSecondsAfterArchived *int32  `json:"ttlSecondsAfterArchived,omitempty"`
}

// Result is what came of the run.
type Result struct {
	Status string          `json:"status"`
	Data   json.RawMessage `json:"data,omitempty"`
}

// Status says what became of the run.
type Status struct {
	ObservedGeneration int64              `json:"observedGeneration,omitempty"`
	Conditions         []metav1.Condition `json:"conditions,omitempty"`
	Archive            *Archive           `json:"archive,omitempty"`
	Session            *Session           `json:"session,omitempty"`
	Summary            *Summary           `json:"summary,omitempty"`
}

// Archive is the receipt: which row holds the result, and which database said so.
type Archive struct {
	ExecutionID string `json:"executionId"`
	SHA256      string `json:"sha256"`
	CommittedAt string `json:"committedAt"`
	Order       int64  `json:"order"`
	Incarnation string `json:"incarnation"`
}

// Session is the one that the run belongs to.
type Session struct {
	ID    string `json:"id"`
	State string `json:"state"`
}

// Summary is what the result says, in a few values.
type Summary struct {
	Vulnerabilities *int64 `json:"vulnerabilities,omitempty"`
	Validated       *bool  `json:"validated,omitempty"`
	RedGreen        string `json:"redGreen,omitempty"`
}

// addKinds has the scheme know the kinds under the names that they have in this group.
func addKinds(scheme *runtime.Scheme, kinds schema.GroupVersion) {
	scheme.AddKnownTypes(kinds, &PhaseRun{}, &PhaseRunList{})
	metav1.AddToGroupVersion(scheme, kinds)
}

// DeepCopy copies what is ever changed in place, which the spec is not.
func (in *PhaseRun) DeepCopy() *PhaseRun {
	out := *in
	in.ObjectMeta.DeepCopyInto(&out.ObjectMeta)
	out.Status.Conditions = append([]metav1.Condition(nil), in.Status.Conditions...)
	return &out
}

// DeepCopyObject implements runtime.Object.
func (in *PhaseRun) DeepCopyObject() runtime.Object { return in.DeepCopy() }

// DeepCopyObject implements runtime.Object.
func (in *PhaseRunList) DeepCopyObject() runtime.Object {
	out := *in
	in.ListMeta.DeepCopyInto(&out.ListMeta)
	out.Items = make([]PhaseRun, len(in.Items))
	for index := range in.Items {
		out.Items[index] = *in.Items[index].DeepCopy()
	}
	return &out
}
