package evaluation

import (
	"fmt"
)

// Reason says why an answer is what it is.
type Reason string

// The reasons.
const (
	FlagNotFound        Reason = "FLAG_NOT_FOUND"
	Disabled            Reason = "DISABLED"
	CircuitOpen         Reason = "CIRCUIT_OPEN"
	PrerequisiteFailed  Reason = "PREREQUISITE_FAILED"
	TargetingMatch      Reason = "TARGETING_MATCH"
	Static              Reason = "STATIC"
	SplitReason         Reason = "SPLIT"
	TargetingKeyMissing Reason = "TARGETING_KEY_MISSING"
)

// Answer is the answer to a question. A field that does not apply is empty.
type Answer struct {
	Active             bool
	Variant            string
	Value              Value
	Reason             Reason
	Error              bool
	Rule               string
	Prerequisite       string
	PrerequisiteReason Reason
	Circuit            string
	Ruleset            *Ruleset // for version and metadata; nil if there is no such flag
}

// Data is everything besides the question that answers depend on: the values of one app.
type Data struct {
	rulesets map[string]*Ruleset
	segments map[string]*Segment
	circuits map[string]*Circuit
	stuck    map[string]bool
}

// ReadData reads the members rulesets and segments, which are lists of values in the order in which they came, and
// circuits, an object of values. What is refused leaves things as they were before; why it was refused is returned.
func ReadData(v Value) (d *Data, refused []error, err error) {
	d = &Data{rulesets: map[string]*Ruleset{}, segments: map[string]*Segment{}, circuits: map[string]*Circuit{}}
	rulesets, err := required(v, "rulesets", readList(asItIs))
	if err != nil {
		return nil, nil, err
	}
	segments, err := optional(v, "segments", nil, readList(asItIs))
	if err != nil {
		return nil, nil, err
	}
	circuits, err := optional(v, "circuits", Value{}, readObject)
	if err != nil {
		return nil, nil, err
	}
	for i, value := range rulesets {
		if err := d.takeRuleset(value); err != nil {
			refused = append(refused, fmt.Errorf("ruleset %d: %w", i+1, err))
		}
	}
	for i, value := range segments {
		s, err := ReadSegment(value)
		if err != nil {
			refused = append(refused, fmt.Errorf("segment %d: %w", i+1, err))
			continue
		}
		d.segments[s.Key] = s
	}
	for key, value := range circuits.Members {
		c, err := ReadCircuit(value)
		if err != nil {
			refused = append(refused, fmt.Errorf("circuit of %s: %w", Quote(key), err))
			continue
		}
		d.circuits[key] = c
	}
	d.stuck = stuckFlags(d.rulesets)
	return d, refused, nil
}

// takeRuleset takes a ruleset in place of that of before. One that is refused can still turn the flag off.
func (d *Data) takeRuleset(v Value) error {
	r, err := ReadRuleset(v)
	if err == nil {
		d.rulesets[r.Key] = r
		return nil
	}
	if key, off := turnsOff(v); off && d.rulesets[key] != nil {
		before := *d.rulesets[key]
		before.Active = false
		d.rulesets[key] = &before
	}
	return err
}

// turnsOff tells of a ruleset that is refused whether it says that a flag is off.
func turnsOff(v Value) (key string, off bool) {
	if v.Kind != Object {
		return "", false
	}
	_, appErr := required(v, "app", readString)
	key, keyErr := required(v, "key", readKey)
	_, versionErr := required(v, "version", readVersion)
	active, activeErr := required(v, "active", readBool)
	return key, appErr == nil && keyErr == nil && versionErr == nil && activeErr == nil && !active
}

// Evaluate answers a question about a flag.
func (d *Data) Evaluate(flag string, q Question) Answer {
	return (&asking{data: d, question: q, answers: map[string]Answer{}}).evaluate(flag)
}

// asking is one question, for which each flag is evaluated once.
type asking struct {
	data     *Data
	question Question
	answers  map[string]Answer
}

func (a *asking) evaluate(flag string) Answer {
	answer, there := a.answers[flag]
	if there {
		return answer
	}
	r := a.data.rulesets[flag]
	if r == nil {
		return Answer{Reason: FlagNotFound, Error: true}
	}
	state, percentage := r.circuit(a.data.circuits[flag])
	answer = a.decide(r, state, percentage)
	answer.Value = r.Variants[answer.Variant]
	answer.Active = answer.Variant != r.OffVariant
	answer.Circuit = state
	answer.Ruleset = r
	a.answers[flag] = answer
	return answer
}

// decide goes through the order of the page from its second point. The numbers in the comments are those of the page.
func (a *asking) decide(r *Ruleset, state string, percentage float64) Answer {
	off := func(reason Reason) Answer { return Answer{Variant: r.OffVariant, Reason: reason} }
	everybody := percentage == 100
	keyMissing := Answer{Variant: r.OffVariant, Reason: TargetingKeyMissing, Error: everybody} // 8

	if !r.Active { // 2
		return off(Disabled)
	}
	if state == Open { // 3
		return off(CircuitOpen)
	}
	prerequisite, reason, met := a.requirements(r) // 4
	if met == False {
		answer := off(PrerequisiteFailed)
		answer.Prerequisite, answer.PrerequisiteReason = prerequisite, reason
		return answer
	}
	answer := a.byItself(r, percentage, keyMissing)
	if met == Unknown && answer.Variant != r.OffVariant {
		return keyMissing
	}
	return answer
}

// byItself is the order from its fifth point.
func (a *asking) byItself(r *Ruleset, percentage float64, keyMissing Answer) Answer {
	off := func(reason Reason) Answer { return Answer{Variant: r.OffVariant, Reason: reason} }
	key := a.key(r)
	if target := a.question.TargetingKey; target != "" { // 5
		if r.Deny[target] {
			return off(TargetingMatch)
		}
		if r.Allow[target] {
			if possible := r.Split.Possible(); len(possible) == 1 {
				return Answer{Variant: possible[0], Reason: TargetingMatch}
			}
			if key == "" {
				return keyMissing
			}
			return Answer{Variant: r.Split.Variant(SplitBucket(r.Salt, key)), Reason: TargetingMatch}
		}
	}

	rule, rollout, split, reason := "", r.Rollout, r.Split, Static // 6
	for _, candidate := range r.Rules {
		if allHold(candidate.When, a.question, a.data.segments) {
			rule, rollout, split, reason = candidate.Name, candidate.Rollout, candidate.Split, TargetingMatch
			break
		}
	}
	answer := a.share(r, rollout, percentage, split, reason, key, keyMissing)
	answer.Rule = rule
	return answer
}

// share is the order from its seventh point.
func (a *asking) share(
	r *Ruleset, rollout, percentage float64, split Split, reason Reason, key string, keyMissing Answer,
) Answer {
	possible := split.Possible()
	single := len(possible) == 1
	if rollout == 0 || single && possible[0] == r.OffVariant { // 7
		return Answer{Variant: r.OffVariant, Reason: reason}
	}
	if rollout == 100 && percentage == 100 && single {
		return Answer{Variant: possible[0], Reason: reason}
	}
	if key == "" { // 8
		return keyMissing
	}
	if !In(RolloutBucket(r.Salt, key), rollout, percentage) { // 9
		return Answer{Variant: r.OffVariant, Reason: SplitReason}
	}
	return Answer{Variant: split.Variant(SplitBucket(r.Salt, key)), Reason: SplitReason} // 10
}

// key is what buckets are made from; empty if it is missing.
func (a *asking) key(r *Ruleset) string {
	if r.BucketBy == "" || r.BucketBy == TargetingKey {
		return a.question.TargetingKey // a lone surrogate is no hindrance: it is hashed as a question mark
	}
	value, _ := a.question.lookup(r.BucketBy)
	if text, ok := value.AsText(); ok {
		return text
	}
	return ""
}

// requirements tells whether the prerequisites of a flag are met, and which is the first unmet one, for which reason.
func (a *asking) requirements(r *Ruleset) (prerequisite string, reason Reason, met Truth) {
	if a.data.stuck[r.Key] { // so it requires something
		return r.Requires[0].Flag, PrerequisiteFailed, False
	}
	met = True
	for _, required := range r.Requires {
		answer := a.evaluate(required.Flag)
		switch {
		case answer.Reason == FlagNotFound:
			return required.Flag, FlagNotFound, False
		case answer.Error:
			met = Unknown
		case !required.met(answer):
			return required.Flag, answer.Reason, False
		}
	}
	return "", "", met
}

func (r Requirement) met(answer Answer) bool {
	if r.Variants == nil {
		return answer.Active
	}
	for _, variant := range r.Variants {
		if variant == answer.Variant {
			return true
		}
	}
	return false
}
