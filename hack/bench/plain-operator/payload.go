package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
)

// payload is what is kept of a result beside its text.
type payload struct {
	digest  [sha256.Size]byte
	size    int
	summary Summary
	// language is nil where the result names none.
	language *string
}

// readPayload takes JSON with sorted keys, as Go writes it, for canonical, and reads of a result what those of the
// benchmark hold: no tests, for one.
func readPayload(phase string, data json.RawMessage) (payload, error) {
	var value map[string]any
	if err := json.Unmarshal(data, &value); err != nil {
		return payload{}, err
	}
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		return payload{}, err
	}
	canonical := bytes.TrimSuffix(text.Bytes(), []byte("\n"))
	read := payload{digest: sha256.Sum256(canonical), size: len(canonical)}
	if found, ok := value["vulnerabilities"].([]any); ok && phase != "mitigation" {
		count := int64(len(found))
		read.summary.Vulnerabilities = &count
	}
	if validated, ok := value["validated"].(bool); ok && phase == "validation" {
		read.summary.Validated = &validated
	}
	if phase != "scan" {
		read.summary.RedGreen = "unknown"
	}
	if language, ok := value["language"].(string); ok {
		read.language = &language
	}
	return read, nil
}
