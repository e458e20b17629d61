package main

import "slices"

// plan is where a run wants its session to be, and what it says of the work, if anything: to programs and to people.
type plan struct{ state, outcome, note string }

// completed has the plans of runs that did what they were for.
var completed = map[string]plan{
	"scan":       {state: "completed"},
	"validation": {state: "active"},
	"mitigation": {state: "completed", outcome: "fixed", note: ": the issue is fixed"},
}

// unfinished has the plans of all others, by their status.
var unfinished = map[string]plan{
	"pending": {state: "pending"},
	"running": {state: "active"},
	"failed":  {state: "failed"},
}

func planSession(phase, status string) plan {
	if status == "completed" {
		return completed[phase]
	}
	return unfinished[status]
}

// step is one from a state to the next; a session is born from the empty one.
type step struct{ from, to string }

// stepsTo lists the steps from one state to another. There are none where the session is as far: a run never sets one
// back.
func stepsTo(from, to string) []step {
	states := []string{"", "pending", "active"}
	if !slices.Contains(states, to) {
		states = append(states, to)
	}
	var steps []step
	for at := slices.Index(states, from); at < slices.Index(states, to); at++ {
		steps = append(steps, step{from: states[at], to: states[at+1]})
	}
	return steps
}
