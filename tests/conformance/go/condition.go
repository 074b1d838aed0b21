package evaluation

import (
	"errors"
	"fmt"
	"math/big"
	"net/netip"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Truth is the result of a test.
type Truth int

// The results of a test.
const (
	False Truth = iota
	True
	Unknown
)

// String is the word for it.
func (t Truth) String() string {
	return [...]string{"false", "true", "unknown"}[t]
}

func truth(b bool) Truth {
	if b {
		return True
	}
	return False
}

// not negates true and false, and leaves unknown as it is.
func (t Truth) not() Truth {
	switch t {
	case True:
		return False
	case False:
		return True
	}
	return Unknown
}

// test tests one value that is not missing and not a list.
type test func(Value) Truth

// Condition is a condition that has been read and found right.
type Condition struct {
	Attribute  string
	Operator   string
	Negate     bool
	IgnoreCase bool

	test     test     // unless the operator is exists or in_segment
	exists   bool     // for exists: whether the value is to be there
	segments []string // for in_segment
}

// folds lists the operators that can ignore case.
var folds = map[string]bool{
	"in": true, "not_in": true, "equals": true,
	"contains": true, "starts_with": true, "ends_with": true, "matches": true,
}

// ReadCondition reads a condition. A [RefusedError] names the first field that is at fault, in the order of the page.
func ReadCondition(v Value) (*Condition, error) {
	if err := expect(v, Object); err != nil {
		return nil, err
	}
	// Whether the attribute may be missing depends on the operator, which is looked at in its own turn.
	c := &Condition{}
	var err error
	if v.Members["operator"].Text == "in_segment" {
		c.Attribute, err = optional(v, "attribute", TargetingKey, readName)
	} else {
		c.Attribute, err = required(v, "attribute", readName)
	}
	if err != nil {
		return nil, err
	}
	if !ValidText(c.Attribute) {
		return nil, refuse("attribute", "is not valid Unicode")
	}
	if c.Operator, err = required(v, "operator", readString); err != nil {
		return nil, err
	}
	build, known := operators[c.Operator]
	if !known {
		return nil, refuse("operator", "there is none called %s", Quote(c.Operator))
	}
	values, err := optional(v, "values", nil, readList(readOperand))
	if err != nil {
		return nil, err
	}
	if c.Negate, err = optional(v, "negate", false, readBool); err != nil {
		return nil, err
	}
	if c.IgnoreCase, err = optional(v, "ignore_case", false, readBool); err != nil {
		return nil, err
	}
	if err := build(c, values); err != nil {
		return nil, refuse("values", "%s", err)
	}
	if c.IgnoreCase && !folds[c.Operator] {
		return nil, refuse("ignore_case", "is not for %s", c.Operator)
	}
	return c, nil
}

// Test returns the result of the condition's test for a question; negate does not apply to it.
func (c *Condition) Test(q Question, segments map[string]*Segment) Truth {
	value, there := q.lookup(c.Attribute)
	switch {
	case c.Operator == "exists":
		return truth(there == c.exists)
	case c.segments != nil:
		if !there {
			return inSegments(c.segments, segments, q, nil)
		}
		return inSegments(c.segments, segments, q, &value)
	case !there:
		return Unknown
	}
	result := ofItems(value, func(v Value) Truth {
		if v.Kind == Null || v.Kind == List || v.Kind == Object {
			return Unknown
		}
		return c.test(v)
	})
	if c.Operator == "not_in" {
		return result.not()
	}
	return result
}

// Holds tells whether the condition holds.
func (c *Condition) Holds(q Question, segments map[string]*Segment) bool {
	if c.Negate {
		return c.Test(q, segments) == False
	}
	return c.Test(q, segments) == True
}

func allHold(conditions []*Condition, q Question, segments map[string]*Segment) bool {
	for _, c := range conditions {
		if !c.Holds(q, segments) {
			return false
		}
	}
	return true
}

// ofItems tests a value, or the items of a list.
func ofItems(v Value, test test) Truth {
	if v.Kind != List {
		return test(v)
	}
	return anyOf(v.Items, test)
}

// anyOf is true if one result is true, otherwise unknown if one is unknown, otherwise false.
func anyOf[T any](all []T, test func(T) Truth) Truth {
	result := False
	for _, one := range all {
		switch test(one) {
		case True:
			return True
		case Unknown:
			result = Unknown
		}
	}
	return result
}

// operand is a string, a number or a boolean that can be compared.
type operand struct {
	kind   Kind
	text   string   // what it is as text
	number *big.Rat // the number that it is or, as a text, says; nil if it says none that can be compared
	says   bool     // whether it says a number, even one that cannot be compared
}

func asOperand(v Value) (operand, bool) {
	text, ok := v.AsText()
	if !ok {
		return operand{}, false
	}
	o := operand{kind: v.Kind, text: text}
	if v.Kind != Boolean {
		o.number, o.says = parseNumber(v.Text)
	}
	return o, true
}

// readOperand reads one of the values of a condition.
func readOperand(v Value) (operand, error) {
	o, ok := asOperand(v)
	if !ok {
		return o, errors.New("cannot be compared")
	}
	return o, nil
}

// equal compares two operands. With fold, texts are compared in lower case.
func equal(a, b operand, fold func(string) string) Truth {
	if a.kind != Number && b.kind != Number {
		return truth(fold(a.text) == fold(b.text)) // of a boolean it is true or false
	}
	switch {
	case !a.says || !b.says:
		return False
	case a.number == nil || b.number == nil:
		return Unknown
	}
	return truth(a.number.Cmp(b.number) == 0)
}

// operators has, for each operator, how its values are read. It sets what the condition's test needs.
var operators map[string]func(c *Condition, values []operand) error

func init() {
	operators = map[string]func(c *Condition, values []operand) error{
		"in":          buildEqual,
		"equals":      buildEqual,
		"not_in":      buildEqual,
		"contains":    buildText(strings.Contains),
		"starts_with": buildText(strings.HasPrefix),
		"ends_with":   buildText(strings.HasSuffix),
		"matches":     buildMatches,
		"before":      buildTime(-1),
		"after":       buildTime(1),
		"ip_in":       buildAddress,
		"semver_in":   buildRange,
		"exists":      buildExists,
		"in_segment":  buildSegment,
	}
	for name, operator := range map[string]string{"lt": "<", "le": "<=", "gt": ">", "ge": ">="} {
		operators[name] = buildNumber(operator)
		operators["semver_"+name] = buildVersion(operator)
	}
	operators["semver_eq"] = buildVersion("=")
}

func (c *Condition) fold() func(string) string {
	if c.IgnoreCase {
		return Lower
	}
	return func(s string) string { return s }
}

func atLeastOne(values []operand) error {
	if len(values) == 0 {
		return errors.New("has to have at least one")
	}
	return nil
}

func exactlyOne(values []operand) error {
	if len(values) != 1 {
		return errors.New("has to have one")
	}
	return nil
}

// onlyTexts returns the texts of values that have to be strings.
func onlyTexts(values []operand) ([]string, error) {
	var texts []string
	for _, value := range values {
		if value.kind != String {
			return nil, errors.New("has to have strings only")
		}
		texts = append(texts, value.text)
	}
	return texts, atLeastOne(values)
}

func buildEqual(c *Condition, values []operand) error {
	fold := c.fold()
	c.test = func(v Value) Truth {
		o, ok := asOperand(v)
		if !ok {
			return Unknown
		}
		return anyOf(values, func(value operand) Truth { return equal(o, value, fold) })
	}
	return atLeastOne(values)
}

func buildText(has func(text, part string) bool) func(*Condition, []operand) error {
	return func(c *Condition, values []operand) error {
		fold := c.fold()
		var parts []string
		for _, value := range values {
			if value.text == "" {
				return errors.New("has an empty text")
			}
			parts = append(parts, fold(value.text))
		}
		c.test = func(v Value) Truth {
			text, ok := v.AsText()
			if !ok {
				return Unknown
			}
			text = fold(text)
			for _, part := range parts {
				if has(text, part) {
					return True
				}
			}
			return False
		}
		return atLeastOne(values)
	}
}

func buildMatches(c *Condition, values []operand) error {
	texts, err := onlyTexts(values)
	if err != nil {
		return err
	}
	if len(texts) > 20 {
		return errors.New("has more than 20 patterns")
	}
	var patterns []*regexp.Regexp
	for _, text := range texts {
		if utf8.RuneCountInString(text) > 1000 {
			return errors.New("has a pattern of more than 1,000 code points")
		}
		pattern, err := regexp.Compile(text)
		if err == nil && c.IgnoreCase {
			pattern, err = regexp.Compile("(?i)" + text)
		}
		if err == nil {
			err = checkClasses(text)
		}
		if err != nil {
			return err
		}
		patterns = append(patterns, pattern)
	}
	c.test = func(v Value) Truth {
		text, ok := v.AsText()
		if !ok {
			return Unknown
		}
		for _, pattern := range patterns {
			if pattern.MatchString(text) {
				return True
			}
		}
		return False
	}
	return nil
}

// checkClasses refuses the names of Unicode's classes that Go's regexp takes and RE2 does not: Go 1.25 has added some, and
// takes them in any case.
func checkClasses(pattern string) error {
	for rest := pattern; ; {
		at := strings.IndexByte(rest, '\\')
		if at < 0 || at+1 == len(rest) {
			return nil
		}
		letter := rest[at+1]
		rest = rest[at+2:]
		switch letter {
		case 'Q':
			_, rest, _ = strings.Cut(rest, `\E`)
		case 'p', 'P':
			name, _, _ := strings.Cut(rest, "}")
			if strings.HasPrefix(name, "{") {
				name = strings.TrimPrefix(name[1:], "^")
			} else {
				name = rest[:1] // of a category; there is one, because the pattern compiles
			}
			_, category := unicode.Categories[name]
			_, script := unicode.Scripts[name]
			if name == "Cn" || name == "LC" || name != "Any" && !category && !script {
				return fmt.Errorf("has the class %s, which RE2 does not know", Quote(name))
			}
		}
	}
}

func buildNumber(operator string) func(*Condition, []operand) error {
	return func(c *Condition, values []operand) error {
		if err := exactlyOne(values); err != nil {
			return err
		}
		limit := values[0].number
		if limit == nil {
			return errors.New("says no number")
		}
		c.test = func(v Value) Truth {
			o, ok := asOperand(v)
			if !ok || o.number == nil {
				return Unknown
			}
			return truth(compares(operator, o.number.Cmp(limit)))
		}
		return nil
	}
}

func buildTime(wanted int) func(*Condition, []operand) error {
	return func(c *Condition, values []operand) error {
		if err := exactlyOne(values); err != nil {
			return err
		}
		limit, ok := parseMoment(values[0].text)
		if !ok {
			return errors.New("is no time of RFC 3339")
		}
		c.test = func(v Value) Truth {
			m, ok := parseMoment(v.Text)
			if v.Kind != String || !ok {
				return Unknown
			}
			return truth(m.compare(limit) == wanted)
		}
		return nil
	}
}

func buildAddress(c *Condition, values []operand) error {
	texts, err := onlyTexts(values)
	if err != nil {
		return err
	}
	var networks []netip.Prefix
	for _, text := range texts {
		network, err := parseNetwork(text)
		if err != nil {
			return err
		}
		networks = append(networks, network)
	}
	c.test = func(v Value) Truth {
		address, ok := parseAddress(v.Text)
		if v.Kind != String || !ok {
			return Unknown
		}
		for _, network := range networks {
			if network.Contains(address) {
				return True
			}
		}
		return False
	}
	return nil
}

// valueVersion is the version that a value is.
func valueVersion(v Value) (version, bool) {
	text, ok := v.AsText()
	if !ok || v.Kind == Boolean {
		return version{}, false
	}
	return parseVersion(text)
}

func buildVersion(operator string) func(*Condition, []operand) error {
	return func(c *Condition, values []operand) error {
		if err := exactlyOne(values); err != nil {
			return err
		}
		limit, ok := parseVersion(values[0].text)
		if !ok {
			return errors.New("is no version")
		}
		c.test = func(v Value) Truth {
			version, ok := valueVersion(v)
			if !ok {
				return Unknown
			}
			return truth(compares(operator, version.compare(limit)))
		}
		return nil
	}
}

func buildRange(c *Condition, values []operand) error {
	var ranges [][]bound
	for _, value := range values {
		bounds, err := parseRange(value.text)
		if err != nil {
			return err
		}
		ranges = append(ranges, bounds)
	}
	within := func(v version, bounds []bound) bool {
		for _, b := range bounds {
			if !b.holds(v) {
				return false
			}
		}
		return true
	}
	c.test = func(v Value) Truth {
		version, ok := valueVersion(v)
		if !ok {
			return Unknown
		}
		for _, bounds := range ranges {
			if within(version, bounds) {
				return True
			}
		}
		return False
	}
	return atLeastOne(values)
}

func buildExists(c *Condition, values []operand) error {
	if len(values) > 1 || len(values) == 1 && values[0].kind != Boolean {
		return errors.New("has to have none, true or false")
	}
	c.exists = len(values) == 0 || values[0].text == "true"
	return nil
}

func buildSegment(c *Condition, values []operand) error {
	texts, err := onlyTexts(values)
	if err != nil {
		return err
	}
	for _, text := range texts {
		if _, err := readKey(Value{Kind: String, Text: text}); err != nil {
			return err
		}
	}
	c.segments = texts
	return nil
}
