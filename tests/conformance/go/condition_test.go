package evaluation

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

// says tests a condition with the attribute a.
func says(t *testing.T, operator, values, value string, more ...string) Truth {
	t.Helper()
	text := fmt.Sprintf(`{"attribute": "a", "operator": %q, "values": %s%s}`, operator, values, strings.Join(more, ""))
	c, err := ReadCondition(parse(t, text))
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	q := Question{Attributes: map[string]Value{}}
	if value != "" {
		q.Attributes["a"] = parse(t, value)
	}
	return c.Test(q, nil)
}

func TestOperators(t *testing.T) {
	const fold = `, "ignore_case": true`
	for _, c := range []struct {
		operator, values, value string
		want                    Truth
		more                    string
	}{
		{"in", `["x", 1]`, `"x"`, True, ""},
		{"in", `["x", 1]`, `1.0`, True, ""},
		{"in", `["x", 1]`, `"1.0"`, True, ""},
		{"in", `["1.1"]`, `"1.10"`, False, ""},
		{"in", `[1.1]`, `"1.10"`, True, ""},
		{"in", `["1.10"]`, `1.1`, True, ""},
		{"in", `[true]`, `1`, False, ""},
		{"in", `[true]`, `"true"`, True, ""},
		{"in", `[true]`, `"TRUE"`, False, ""},
		{"in", `[true]`, `"TRUE"`, True, fold},
		{"in", `["TRUE"]`, `true`, True, fold},
		{"in", `["ÄB"]`, `"äb"`, True, fold},
		{"in", `[5]`, `"five"`, False, ""},
		{"in", `[9007199254740993]`, `9007199254740992`, False, ""},
		{"in", `["x"]`, ``, Unknown, ""},
		{"in", `["x"]`, `null`, Unknown, ""},
		{"in", `["x"]`, `{}`, Unknown, ""},
		{"in", `["x"]`, `"\ud800"`, Unknown, ""},
		{"in", `[5]`, `1e30`, Unknown, ""},
		{"in", `["1e30"]`, `"1e30"`, True, ""},
		{"in", `["1e30"]`, `5`, Unknown, ""},
		{"in", `["1e30", 5]`, `5`, True, ""},
		{"in", `[5]`, `"1e30"`, Unknown, ""},
		{"in", `[true]`, `"1e30"`, False, ""},
		{"in", `[-9223372036854775808]`, `"-9223372036854775808.0"`, Unknown, ""},
		{"in", `["x"]`, `["y", null]`, Unknown, ""},
		{"in", `["x"]`, `[]`, False, ""},
		{"in", `["x"]`, `["y", {}]`, Unknown, ""},
		{"in", `["x"]`, `["x", {}]`, True, ""},
		{"in", `["x"]`, `[["x"]]`, Unknown, ""},
		{"not_in", `["x"]`, `["x", "y"]`, False, ""},
		{"not_in", `["x"]`, `["y"]`, True, ""},
		{"not_in", `["x"]`, `[]`, True, ""},
		{"not_in", `["x"]`, `{}`, Unknown, ""},
		{"contains", `["b"]`, `"abc"`, True, ""},
		{"contains", `[0.5]`, `10.5`, True, ""},
		{"starts_with", `["A"]`, `"abc"`, False, ""},
		{"starts_with", `["A"]`, `"abc"`, True, fold},
		{"ends_with", `["ue"]`, `true`, True, ""},
		{"matches", `["^b", "c$"]`, `"abc"`, True, ""},
		{"matches", `["B|X"]`, `"abc"`, True, fold},
		{"matches", `["^5$"]`, `5.0`, True, ""},
		{"lt", `["1e1"]`, `9.99`, True, ""},
		{"le", `[10]`, `"+010"`, True, ""},
		{"gt", `[10]`, `"ten"`, Unknown, ""},
		{"ge", `[10]`, `true`, Unknown, ""},
		{"ge", `[9007199254740993]`, `"9007199254740992"`, False, ""},
		{"gt", `[0]`, `" 1"`, Unknown, ""},
		{"gt", `[0]`, `"1e30"`, Unknown, ""},
		{"before", `["2026-11-28T17:00:00Z"]`, `"2026-11-28t18:59:59.999999999999+02:00"`, True, ""},
		{"before", `["2026-11-28T17:00:00Z"]`, `"2026-11-28T17:00:00.000Z"`, False, ""},
		{"after", `["2026-11-28T17:00:00Z"]`, `"2026-11-28T17:00:00z"`, False, ""},
		{"after", `["2016-12-31T23:59:59Z"]`, `"2016-12-31T23:59:60Z"`, True, ""},
		{"before", `["2017-01-01T00:00:00Z"]`, `"2016-12-31T23:59:60Z"`, False, ""},
		{"after", `["2016-01-01T00:00:00Z"]`, `"2023-02-29T00:00:00Z"`, Unknown, ""},
		{"after", `["2016-01-01T00:00:00Z"]`, `2023`, Unknown, ""},
		{"ip_in", `["10.0.0.0/8"]`, `"10.1.2.3"`, True, ""},
		{"ip_in", `["10.0.0.0/8"]`, `"::ffff:10.1.2.3"`, True, ""},
		{"ip_in", `["::ffff:10.1.2.3"]`, `"10.1.2.3"`, True, ""},
		{"ip_in", `["::ffff:10.0.0.0/104"]`, `"10.1.2.3"`, True, ""},
		{"ip_in", `["::ffff:0:0/96"]`, `"::ffff:1.2.3.4"`, True, ""},
		{"ip_in", `["::/0"]`, `"10.1.2.3"`, False, ""},
		{"ip_in", `["0.0.0.0/0"]`, `"2001:db8::1"`, False, ""},
		{"ip_in", `["2001:db8::/32"]`, `"2001:DB8:0:0:0:0:0:1"`, True, ""},
		{"ip_in", `["10.0.0.0/8"]`, `"010.1.2.3"`, Unknown, ""},
		{"ip_in", `["fe80::/10"]`, `"fe80::1%eth0"`, Unknown, ""},
		{"semver_eq", `["1.2"]`, `1.2`, True, ""},
		{"semver_eq", `["v1.2.0+build"]`, `"1.2"`, True, ""},
		{"semver_eq", `[1.2]`, `"1.2.0"`, True, ""},
		{"semver_in", `[1]`, `1.2`, True, ""},
		{"semver_lt", `["1.0.0"]`, `"1.0.0-rc.1"`, True, ""},
		{"semver_lt", `["1.0.0"]`, `"latest"`, Unknown, ""},
		{"semver_lt", `["1.0.0"]`, `true`, Unknown, ""},
		{"semver_gt", `["1.0.0-alpha.1"]`, `"1.0.0-alpha.beta"`, True, ""},
		{"semver_in", `["^2", ">=1.2 <1.4"]`, `["0.1", "1.3"]`, True, ""},
		{"exists", `[]`, `[]`, True, ""},
		{"exists", `[true]`, `{}`, True, ""},
		{"exists", `[false]`, `null`, True, ""},
		{"exists", `[false]`, `0`, False, ""},
	} {
		if got := says(t, c.operator, c.values, c.value, c.more); got != c.want {
			t.Errorf("%s %s of %s%s says %v", c.operator, c.values, c.value, c.more, got)
		}
	}
}

func TestRefusedConditions(t *testing.T) {
	for text, field := range map[string]string{
		`{"operator": "in", "values": ["x"]}`:                                              "attribute",
		`{"attribute": 1, "operator": "in", "values": ["x"]}`:                              "attribute",
		`{"attribute": "a", "values": ["x"]}`:                                              "operator",
		`{"attribute": "a", "operator": "like", "values": ["x"]}`:                          "operator",
		`{"attribute": "a", "operator": "in"}`:                                             "values",
		`{"attribute": "a", "operator": "in", "values": [null]}`:                           "values",
		`{"attribute": "a", "operator": "in", "values": [1e30]}`:                           "values",
		`{"attribute": "a", "operator": "contains", "values": [""]}`:                       "values",
		`{"attribute": "a", "operator": "matches", "values": ["(?=x)"]}`:                   "values",
		`{"attribute": "a", "operator": "lt", "values": ["x"]}`:                            "values",
		`{"attribute": "a", "operator": "lt", "values": [1, 2]}`:                           "values",
		`{"attribute": "a", "operator": "before", "values": ["2026-11-28"]}`:               "values",
		`{"attribute": "a", "operator": "ip_in", "values": ["10.0.0.1/8"]}`:                "values",
		`{"attribute": "a", "operator": "semver_eq", "values": ["01.0.0"]}`:                "values",
		`{"attribute": "a", "operator": "semver_in", "values": ["1.x"]}`:                   "values",
		`{"attribute": "a", "operator": "exists", "values": [1]}`:                          "values",
		`{"attribute": "a", "operator": "in", "values": ["x"], "negate": 1}`:               "negate",
		`{"attribute": "a", "operator": "lt", "values": [1], "ignore_case": true}`:         "ignore_case",
		`{"attribute": "a", "operator": "in", "values": ["x"], "ignore_case": "yes"}`:      "ignore_case",
		`{"operator": "in_segment", "values": ["s"], "ignore_case": true}`:                 "ignore_case",
		`{"attribute": "a", "operator": "matches", "values": ["` + long(1001, "ä") + `"]}`: "values",
		`{"attribute": "", "operator": "exists"}`:                                          "attribute",
		`{"attribute": "\ud800", "operator": "exists"}`:                                    "attribute",
		`{"attribute": "a", "operator": "in", "values": ["\ud800"]}`:                       "values",
		`{"attribute": "a", "operator": "in", "values": null}`:                             "values",
		`{"attribute": "a", "operator": "lt", "values": ["1e30"]}`:                         "values",
		`{"attribute": "a", "operator": "lt", "values": [true]}`:                           "values",
		`{"attribute": "a", "operator": "before", "values": [2026]}`:                       "values",
		`{"attribute": "a", "operator": "ip_in", "values": ["10.0.0.0/08"]}`:               "values",
		`{"attribute": "a", "operator": "ip_in"}`:                                          "values",
		`{"attribute": "a", "operator": "matches", "values": [5]}`:                         "values",
		`{"attribute": "a", "operator": "matches", "values": ["\\p{Letter}"]}`:             "values",
		`{"attribute": "a", "operator": "matches", "values": ["\\\\\\p{greek}"]}`:          "values",
		`{"attribute": "a", "operator": "matches", "values": ["\\pl"]}`:                    "values",
		`{"attribute": "a", "operator": "matches", "values": ["\\p"]}`:                     "values",
		`{"attribute": "a", "operator": "matches", "values": ["\\pé"]}`:                    "values",
		`{"operator": "in_segment", "values": []}`:                                         "values",
		`{"operator": "in_segment", "values": ["a..b"]}`:                                   "values",
	} {
		_, err := ReadCondition(parse(t, text))
		var refused *RefusedError
		if !errors.As(err, &refused) || refused.Field != field {
			t.Errorf("%s: %v", text, err)
		}
	}
	if _, err := ReadCondition(parse(t, `{"attribute": "a", "operator": "matches", "values": ["`+long(1000, "ä")+`"]}`)); err != nil {
		t.Error(err)
	}
	if got := says(t, "matches", `["\\p{^Greek}\\pN\\\\p{Q}\\Q\\p{letter}\\E\\P{Any}|x"]`, `"x"`); got != True {
		t.Error(got)
	}
}

func long(count int, text string) string {
	return strings.Repeat(text, count)
}

func TestLookup(t *testing.T) {
	q, err := ReadQuestion(parse(t, `{"targeting_key": "u", "attributes": {
		"targetingKey": "other", "a": {"b": {"c": 1}, "n": null, "": {"": 2}}, "a.b": null, "x.y": 3, "l": [{"b": 1}]}}`))
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"targetingKey": "u", "a.b.c": "1", "x.y": "3", "a..": "2",
		"a.n": "", "a.b.c.d": "", "a.x": "", "l.b": "", "x": "", "": "",
	} {
		if value, ok := q.lookup(name); ok != (want != "") || value.Text != want {
			t.Errorf("%s leads to %v, %v", name, value, ok)
		}
	}
	if value, ok := q.lookup("a.b"); !ok || value.Kind != Object {
		t.Errorf("a.b leads to %v", value)
	}
}

func TestNegateLeavesUnknown(t *testing.T) {
	c, err := ReadCondition(parse(t, `{"attribute": "a", "operator": "in", "values": ["x"], "negate": true}`))
	if err != nil {
		t.Fatal(err)
	}
	for value, want := range map[string]bool{`"x"`: false, `"y"`: true, `{}`: false, `null`: false} {
		q := Question{Attributes: map[string]Value{"a": parse(t, value)}}
		if got := c.Holds(q, nil); got != want {
			t.Errorf("%s: %v", value, got)
		}
	}
}

func TestSegments(t *testing.T) {
	list, err := readList(ReadSegment)(parse(t, `[
		{"schema": 1, "app": "x", "key": "list", "version": 1, "include": ["a", "b"], "exclude": ["b", "c"]},
		{"schema": 1, "app": "x", "key": "when", "version": 1, "when": [{"attribute": "p", "operator": "in", "values": ["pro"]}]},
		{"schema": 1, "app": "x", "key": "both", "version": 1, "exclude": ["c"],
			"when": [{"attribute": "p", "operator": "in", "values": ["pro"]}]},
		{"schema": 1, "app": "x", "key": "empty", "version": 1}]`))
	if err != nil {
		t.Fatal(err)
	}
	segments := map[string]*Segment{}
	for _, s := range list {
		segments[s.Key] = s
	}
	for _, c := range []struct {
		values, context string
		want            Truth
	}{
		{`["list"]`, `{"targeting_key": "a"}`, True},
		{`["list"]`, `{"targeting_key": "b"}`, False},
		{`["list"]`, `{"targeting_key": "z"}`, False},
		{`["list"]`, `{}`, Unknown},
		{`["when"]`, `{"attributes": {"p": "pro"}}`, True},
		{`["when"]`, `{}`, False},
		{`["both"]`, `{"attributes": {"p": "pro"}}`, Unknown},
		{`["both"]`, `{"targeting_key": "c", "attributes": {"p": "pro"}}`, False},
		{`["empty"]`, `{}`, False},
		{`["none"]`, `{"targeting_key": "a"}`, Unknown},
		{`["none", "list"]`, `{"targeting_key": "a"}`, True},
		{`["none", "empty"]`, `{"targeting_key": "a"}`, Unknown},
		{`["list"]`, `{"attributes": {"a": ["z", "a"]}}`, True},
		{`["list"]`, `{"attributes": {"a": ["z", {}]}}`, Unknown},
		{`["list"]`, `{"attributes": {"a": {}}}`, Unknown},
		{`["list"]`, `{"attributes": {"a": []}}`, False},
		{`["when"]`, `{"attributes": {"a": [], "p": "pro"}}`, False},
		{`["when"]`, `{"attributes": {"a": [null], "p": "pro"}}`, True},
		{`["none", "list"]`, `{"attributes": {"a": []}}`, Unknown},
	} {
		q, err := ReadQuestion(parse(t, c.context))
		if err != nil {
			t.Fatal(err)
		}
		attribute := ""
		if _, there := q.Attributes["a"]; there {
			attribute = `"attribute": "a", `
		}
		condition, err := ReadCondition(parse(t, `{`+attribute+`"operator": "in_segment", "values": `+c.values+`}`))
		if err != nil {
			t.Fatal(err)
		}
		if got := condition.Test(q, segments); got != c.want {
			t.Errorf("%s of %s says %v", c.values, c.context, got)
		}
	}
	if _, err := ReadSegment(parse(t, `{"schema": 1, "app": "x", "key": "s", "version": 1,
		"when": [{"operator": "in_segment", "values": ["list"]}]}`)); err == nil {
		t.Error("a segment asks for a segment")
	}
}
