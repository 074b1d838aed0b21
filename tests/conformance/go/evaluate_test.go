package evaluation

import (
	"fmt"
	"strings"
	"testing"
)

// answer evaluates the flag f. The members of each ruleset are added to those that every ruleset has to have.
func answer(t *testing.T, rulesets map[string]string, circuits, context string) Answer {
	t.Helper()
	var texts []string
	for key, more := range rulesets {
		texts = append(texts, rulesetText(t, key, more))
	}
	data, refused, err := ReadData(parse(t, `{"rulesets": [`+strings.Join(texts, ", ")+`], "segments": [], "circuits": `+circuits+`}`))
	if err != nil || len(refused) > 0 {
		t.Fatalf("%v: %v, %v", rulesets, err, refused)
	}
	q, err := ReadQuestion(parse(t, context))
	if err != nil {
		t.Fatal(err)
	}
	return data.Evaluate("f", q)
}

// rulesetText writes a ruleset, with defaults for what the given members do not say.
func rulesetText(t *testing.T, key, more string) string {
	t.Helper()
	given := parse(t, "{"+more+"}").Members
	text := fmt.Sprintf(`"schema": 2, "app": "x", "key": %q, "version": 1, "salt": "s"`, key)
	if _, there := given["active"]; !there {
		text += `, "active": true`
	}
	if _, there := given["rollout"]; !there {
		text += `, "rollout": 100`
	}
	if more != "" {
		text += ", " + more
	}
	return "{" + text + "}"
}

// brief writes what matters of an answer in a few words.
func brief(a Answer) string {
	text := a.Variant + " " + string(a.Reason)
	for _, more := range []string{a.Rule, a.Circuit, a.Prerequisite, string(a.PrerequisiteReason)} {
		if more != "" {
			text += " " + more
		}
	}
	if a.Error {
		text += " error"
	}
	return text
}

const (
	user       = `{"targeting_key": "u", "attributes": {"p": "pro"}}`
	nobody     = `{}`
	recovering = `{"f": {"schema": 1, "state": "recovering", "percentage": 50, "reset_generation": 1}}`
	open       = `{"f": {"schema": 1, "state": "open", "percentage": 0, "reset_generation": 1}}`
	rule       = `"rules": [{"when": [{"attribute": "p", "operator": "in", "values": ["pro"]}], `
	three      = `"type": "string", "variants": {"a": "A", "b": "B", "c": "C"}, "off_variant": "a"`
)

func TestOrderOfAnswers(t *testing.T) {
	for _, c := range []struct{ ruleset, circuits, context, want string }{
		{`"active": false, "circuit": {"forced_open": true}`, `{}`, user, "off DISABLED open"},
		{`"circuit": {}`, open, user, "off CIRCUIT_OPEN open"},
		{`"circuit": {"forced_open": true}`, `{}`, user, "off CIRCUIT_OPEN open"},
		{`"circuit": {"reset_generation": 2}`, open, user, "on STATIC closed"},
		{``, open, user, "on STATIC"},
		{`"deny": ["u"], "allow": ["u"]`, `{}`, user, "off TARGETING_MATCH"},
		{`"rollout": 0, "allow": ["u"]`, `{}`, user, "on TARGETING_MATCH"},
		{`"deny": [""]`, `{}`, `{"targeting_key": ""}`, "on STATIC"},
		{`"allow": ["u"], "bucket_by": "org"`, `{}`, user, "on TARGETING_MATCH"},
		{`"allow": ["u"], "bucket_by": "org", "split": [{"variant": "on", "weight": 1}, {"variant": "off", "weight": 1}]`,
			`{}`, user, "off TARGETING_KEY_MISSING error"},
		{rule + `"rollout": 0}]`, `{}`, user, "off TARGETING_MATCH 1"},
		{rule + `"variant": "on", "name": "pros"}]`, `{}`, user, "on TARGETING_MATCH pros"},
		{rule + `"variant": "on"}], "rollout": 0`, `{}`, nobody, "off STATIC"},
		{rule + `"split": [{"variant": "off", "weight": 1}]}]`, `{}`, user, "off TARGETING_MATCH 1"},
		{`"rollout": 0`, `{}`, nobody, "off STATIC"},
		{``, `{}`, nobody, "on STATIC"},
		{`"rollout": 50`, `{}`, nobody, "off TARGETING_KEY_MISSING error"},
		{`"circuit": {}`, recovering, nobody, "off TARGETING_KEY_MISSING recovering"},
		{`"rollout": 0.001`, `{}`, user, "off SPLIT"},
		{`"rollout": 99.999`, `{}`, user, "on SPLIT"},
		{`"bucket_by": "p", "rollout": 99.999`, `{}`, user, "on SPLIT"},
		{`"bucket_by": "org", "rollout": 99.999`, `{}`, user, "off TARGETING_KEY_MISSING error"},
		{`"bucket_by": "a.b", "rollout": 99.999`, `{}`, `{"attributes": {"a": {"b": 5}}}`, "on SPLIT"},
		{`"bucket_by": "a", "rollout": 99.999`, `{}`, `{"attributes": {"a": [5]}}`, "off TARGETING_KEY_MISSING error"},
		{`"bucket_by": "a", "rollout": 99.999`, `{}`, `{"attributes": {"a": "x\ud800"}}`, "off TARGETING_KEY_MISSING error"},
		{`"rollout": 99.999`, `{}`, `{"targeting_key": "x\ud800"}`, "on SPLIT"},
		{`"variants": {"on": true, "off": false}`, `{}`, nobody, "on STATIC"},
		{`"variants": {"off": false}, "off_variant": "off"`, `{}`, nobody, "off STATIC"},
		{`"variants": null, "split": null, "bucket_by": null, "circuit": null, "metadata": null`, `{}`, nobody, "on STATIC"},
		{rule + `"rollout": 100, "split": null, "variant": null, "name": null}]`, `{}`, user, "on TARGETING_MATCH 1"},
		{three + `, "split": [{"variant": "b", "weight": 0}, {"variant": "c", "weight": 1}]`, `{}`, nobody, "c STATIC"},
		{`"requires": [{"flag": "none"}]`, `{}`, user, "off PREREQUISITE_FAILED none FLAG_NOT_FOUND"},
		{`"requires": [{"flag": "f"}]`, `{}`, user, "off PREREQUISITE_FAILED f PREREQUISITE_FAILED"},
	} {
		if got := brief(answer(t, map[string]string{"f": c.ruleset}, c.circuits, c.context)); got != c.want {
			t.Errorf("%s, %s of %s: %s, not %s", c.ruleset, c.circuits, c.context, got, c.want)
		}
	}
	if got := brief(answer(t, nil, `{}`, user)); got != " FLAG_NOT_FOUND error" {
		t.Error(got)
	}
}

func TestPrerequisites(t *testing.T) {
	for _, c := range []struct {
		requires string
		others   map[string]string
		context  string
		want     string
	}{
		{`{"flag": "g"}`, map[string]string{"g": ``}, user, "on STATIC"},
		{`{"flag": "g"}`, map[string]string{"g": `"active": false`}, user, "off PREREQUISITE_FAILED g DISABLED"},
		{`{"flag": "g", "variants": ["off"]}`, map[string]string{"g": `"active": false`}, user, "on STATIC"},
		{`{"flag": "g", "variants": ["off"]}`, map[string]string{"g": ``}, user, "off PREREQUISITE_FAILED g STATIC"},
		{`{"flag": "g", "variants": null}`, map[string]string{"g": `"rollout": 50`}, nobody, "off TARGETING_KEY_MISSING error"},
		{`{"flag": "g"}, {"flag": "h"}`, map[string]string{"g": `"rollout": 50`, "h": `"active": false`}, nobody,
			"off PREREQUISITE_FAILED h DISABLED"},
		{`{"flag": "none"}, {"flag": "g"}`, map[string]string{"g": `"requires": [{"flag": "f"}]`}, user,
			"off PREREQUISITE_FAILED none PREREQUISITE_FAILED"},
		{`{"flag": "g"}`, map[string]string{"g": `"requires": [{"flag": "g"}]`}, user,
			"off PREREQUISITE_FAILED g PREREQUISITE_FAILED"},
		{`{"flag": "g", "variants": ["off"]}`, map[string]string{"g": `"requires": [{"flag": "g"}]`}, user, "on STATIC"},
	} {
		rulesets := map[string]string{"f": `"requires": [` + c.requires + `]`}
		for key, ruleset := range c.others {
			rulesets[key] = ruleset
		}
		if got := brief(answer(t, rulesets, `{}`, c.context)); got != c.want {
			t.Errorf("%s: %s, not %s", c.requires, got, c.want)
		}
	}
}

func TestLengthOfChains(t *testing.T) {
	// chain is f, which requires 2, which requires 3, and so on; the last one is as given.
	chain := func(length int, last string) map[string]string {
		rulesets := map[string]string{}
		key := "f"
		for i := 2; i <= length; i++ {
			next := fmt.Sprint(i)
			rulesets[key] = fmt.Sprintf(`"requires": [{"flag": %q}]`, next)
			key = next
		}
		rulesets[key] = last
		return rulesets
	}
	const stuck = "off PREREQUISITE_FAILED 2 PREREQUISITE_FAILED"
	if got := brief(answer(t, chain(20, ``), `{}`, user)); got != "on STATIC" {
		t.Errorf("20: %s", got)
	}
	if got := brief(answer(t, chain(21, ``), `{}`, user)); got != stuck {
		t.Errorf("21: %s", got)
	}
	stuckOf := func(rulesets map[string]string) map[string]bool {
		read := map[string]*Ruleset{}
		for key, more := range rulesets {
			r, err := ReadRuleset(parse(t, rulesetText(t, key, more)))
			if err != nil {
				t.Fatal(err)
			}
			read[key] = r
		}
		return stuckFlags(read)
	}
	// A flag that is not there does not lengthen a chain.
	if stuckOf(chain(20, `"requires": [{"flag": "none"}]`))["f"] {
		t.Error("a flag that is not there lengthens the chain")
	}
	// A cycle of two at the end counts as one.
	for length, want := range map[int]bool{20: false, 21: true} {
		last := fmt.Sprint(length)
		rulesets := chain(length, `"requires": [{"flag": "cycle"}]`)
		rulesets["cycle"] = fmt.Sprintf(`"requires": [{"flag": %q}]`, last)
		stuck := stuckOf(rulesets)
		if stuck["f"] != want || !stuck["cycle"] || !stuck[last] || stuck["2"] {
			t.Errorf("%d and a cycle: %v", length, stuck)
		}
	}
}

func TestRefusedRulesets(t *testing.T) {
	const start = `{"schema": 1, "app": "x", "key": "f", "version": 1, "active": true, "rollout": 50, "salt": "s"`
	for _, text := range []string{
		`{}`,
		`{"schema": 1, "app": "x", "key": "f", "version": 1, "active": true, "rollout": 101, "salt": "s"}`,
		`{"schema": 1, "app": "x", "key": "f", "version": 9007199254740993, "active": true, "rollout": 50, "salt": "s"}`,
		start + `, "schema": 3}`,
		start + `, "schema": null}`,
		start + `, "circuit": {"reset_generation": -1}}`,
		start + `, "type": "string"}`,
		start + `, "variants": {"on": 1, "off": false}, "off_variant": "off"}`,
		start + `, "variants": {"on": true, "no": false}}`,
		start + `, "variants": {"on": true, "_off": false}, "off_variant": "_off"}`,
		start + `, "type": "number", "variants": {"a": 9007199254740993}, "off_variant": "a"}`,
		start + `, "type": "number", "variants": {"a": 1e400}, "off_variant": "a"}`,
		start + `, "type": "object", "variants": {"a": ` + nested(33) + `}, "off_variant": "a"}`,
		start + `, "type": null}`,
		start + `, "rules": null}`,
		start + `, "bucket_by": ""}`,
		start + `, "requires": [{"flag": "g"}, {"flag": "g"}]}`,
		start + `, "requires": [{"flag": "g", "variants": []}]}`,
		start + `, "split": [{"variant": "on", "weight": 1}, {"variant": "on", "weight": 0}]}`,
		start + `, "split": [{"variant": "on", "weight": 1000001}]}`,
		start + `, "split": [{"variant": "on", "weight": 1.0}]}`,
		start + `, ` + rule + `"variant": "on", "name": "a..b"}]}`,
		start + `, ` + rule + `"rollout": 1, "name": "2"}, {"when": [{"attribute": "a", "operator": "exists"}], "rollout": 1}]}`,
		start + `, "off_variant": "none"}`,
		start + `, ` + three + `}`,
		start + `, "split": []}`,
		start + `, "split": [{"variant": "on", "weight": 0}]}`,
		start + `, "split": [{"variant": "none", "weight": 1}]}`,
		start + `, "rules": [{"when": [], "rollout": 1}]}`,
		start + `, ` + rule + `"variant": "on", "rollout": 1}]}`,
		start + `, ` + rule + `"name": "x"}]}`,
		start + `, "metadata": {"x": []}}`,
	} {
		if _, err := ReadRuleset(parse(t, text)); err == nil {
			t.Errorf("%s was read", text)
		}
	}
	for _, more := range []string{
		`"type": "object", "variants": {"a": ` + nested(32) + `}, "off_variant": "a"`,
		`"type": "number", "variants": {"a": 9e15, "b": -9007199254740992}, "off_variant": "a"`,
		`"key.-_A": 1, "variants": {"` + long(100, "x") + `": true, "-": false}, "off_variant": "-"`,
	} {
		if _, err := ReadRuleset(parse(t, start+", "+more+"}")); err != nil {
			t.Errorf("%s: %v", more, err)
		}
	}
}

// nested writes objects in one another.
func nested(depth int) string {
	return long(depth-1, `{"a": `) + "{}" + long(depth-1, "}")
}

func TestRefusedRulesetKeepsTheOneBeforeOrTurnsItOff(t *testing.T) {
	for second, want := range map[string]string{
		`"version": 2, "active": true, "rollout": 101`:                     "on STATIC",
		`"version": 2, "active": false, "rollout": 101`:                    "off DISABLED",
		`"version": "2", "active": false, "rollout": 101`:                  "on STATIC",
		`"version": 2, "active": true, "rollout": 0, "salt": "s"`:          "off STATIC",
		`"version": 2, "active": false, "rules": [{"when": ["nonsense"]}]`: "off DISABLED",
	} {
		data, _, err := ReadData(parse(t, `{"rulesets": [`+rulesetText(t, "f", ``)+`, {"schema": 1, "app": "x", "key": "f", `+second+`}]}`))
		if err != nil {
			t.Fatal(err)
		}
		if got := brief(data.Evaluate("f", Question{})); got != want {
			t.Errorf("%s: %s, not %s", second, got, want)
		}
	}
}

func TestOpenFeature(t *testing.T) {
	a := answer(t, map[string]string{"f": `"circuit": {}, "metadata": {"team": "shop", "version": "own", "stale": true, "active": "own", "rule": "own"}`}, recovering, nobody)
	got := a.OpenFeature("f")
	if got.Reason != "DISABLED" || got.ErrorCode != "" || got.Metadata["disabled_by"].Text != "circuit" ||
		got.Metadata["version"].Raw != "1" || got.Metadata["active"].Raw != "false" || got.Metadata["team"].Text != "shop" || got.Metadata["circuit"].Text != "recovering" {
		t.Errorf("%+v", got)
	}
	if len(got.Metadata) != 5 {
		t.Errorf("own metadata under our names: %v", got.Metadata)
	}
	for others, want := range map[string]string{`"b": 0.5`: "2.0", `"b": 1`: "2"} {
		ruleset := `"type": "number", "variants": {"a": 2, ` + others + `}, "off_variant": "b"`
		if got := answer(t, map[string]string{"f": ruleset}, `{}`, nobody).OpenFeature("f"); got.Value.Raw != want {
			t.Errorf("%s: %s", others, got.Value.Raw)
		}
	}
	for ruleset, code := range map[string]string{`"rollout": 50`: "TARGETING_KEY_MISSING", "": "FLAG_NOT_FOUND"} {
		rulesets := map[string]string{}
		if ruleset != "" {
			rulesets["f"] = ruleset
		}
		got := answer(t, rulesets, `{}`, nobody).OpenFeature("f")
		if got.ErrorCode != code || got.Flag != "f" || got.Details == "" || got.Reason != "" || got.Metadata != nil {
			t.Errorf("%+v", got)
		}
	}
}
