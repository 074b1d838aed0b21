package main

import (
	"strings"
	"testing"
)

func TestLines(t *testing.T) {
	for line, want := range map[string]string{
		`{"kind": "bucket", "salt": "new-checkout", "targeting_key": "u1"}`:                                                            `{"hash": 3930217168, "bucket": 17168}`,
		`{"kind": "threshold", "rollout": 0.007, "percentage": 100, "buckets": [0, 6, 7]}`:                                             `{"in": [0, 6]}`,
		`{"kind": "threshold", "rollout": 0, "percentage": 100, "buckets": [0]}`:                                                       `{"in": []}`,
		`{"kind": "split", "split": [{"variant": "a", "weight": 1}, {"variant": "b", "weight": 1}], "bucket": 50000}`:                  `{"variant": "b"}`,
		`{"kind": "condition", "condition": {"attribute": "a", "operator": "in", "values": [1]}, "context": {"attributes": {"a": 1}}}`: `{"says": "true", "holds": true}`,
		`{"kind": "condition", "condition": {"attribute": "a", "operator": "in", "values": [1]}, "context": {}}`:                       `{"says": "unknown", "holds": false}`,
		`{"kind": "condition", "condition": {"attribute": "a", "operator": "in"}, "context": {}}`:                                      `{"refused": "values"}`,
		`{"kind": "reading", "circuit": {"schema": 1, "state": "open", "percentage": 0, "reset_generation": 0}}`:                       `{"refused": null}`,
		`{"kind": "reading", "circuit": {"schema": 1, "state": "ajar", "percentage": 0, "reset_generation": 0}}`:                       `{"refused": "state"}`,
		`{"kind": "reading", "segment": {"schema": 1, "app": "x", "version": 1}}`:                                                      `{"refused": "key"}`,
		`{"kind": "reading", "ruleset": {"schema": 1, "app": "x", "key": "f", "version": 1, "active": true, "rollout": 1, "salt": "", ` +
			`"circuit": {"forced_open": 1}}}`: `{"refused": "circuit"}`,
		`{"kind": "evaluation", "case": {"flag": "f", "rulesets": [], "segments": [], "circuits": {}, "context": {}}}`: `{"active": false, ` +
			`"variant": null, "value": null, "reason": "FLAG_NOT_FOUND", "circuit": null, "version": null, "rule": null, "prerequisite": null, ` +
			`"prerequisite_reason": null, "error": true}`,
		`{"kind": "evaluation", "case": {"flag": "f", "rulesets": [{"schema": 1, "app": "x", "key": "f", "version": 9007199254740992, "active": true, ` +
			`"rollout": 100, "salt": "s", "type": "object", "variants": {"a": {"n":1.50, "big": 9007199254740992}, "b": {}}, ` +
			`"off_variant": "b"}], "segments": [], "circuits": {}, "context": {}}}`: `{"active": true, "variant": "a", ` +
			`"value": {"n":1.50, "big": 9007199254740992}, "reason": "STATIC", "circuit": null, "version": 9007199254740992, ` +
			`"rule": null, "prerequisite": null, "prerequisite_reason": null, "error": false}`,
	} {
		var out strings.Builder
		if err := run(strings.NewReader("nonsense\n"+line+"\n"), &out); err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(out.String(), "\n")
		if len(lines) != 3 || !strings.HasPrefix(lines[0], `{"error": `) || lines[1] != want {
			t.Errorf("%s: %s", line, out.String())
		}
	}
}
