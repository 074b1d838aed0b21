package evaluation

import (
	"fmt"
	"math/big"
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

// Answer is what comes out. Where a field does not apply it is empty.
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

// Data is all that answers depend on beside the question.
type Data struct {
	rulesets map[string]*Ruleset
	segments map[string]*Segment
	circuits map[string]*Circuit
	stuck    map[string]bool
}

// NewData prepares rulesets, segments and circuit values for questions.
func NewData(rulesets []*Ruleset, segments map[string]*Segment, circuits map[string]*Circuit) (*Data, error) {
	d := &Data{rulesets: map[string]*Ruleset{}, segments: segments, circuits: circuits}
	for _, r := range rulesets {
		if d.rulesets[r.Key] != nil {
			return nil, fmt.Errorf("two rulesets have the key %s", Quote(r.Key))
		}
		d.rulesets[r.Key] = r
	}
	d.stuck = stuckFlags(d.rulesets)
	return d, nil
}

// ReadData reads the members rulesets, segments and circuits of an object.
func ReadData(v Value) (*Data, error) {
	rulesets, err := required(v, "rulesets", readList(ReadRuleset))
	if err != nil {
		return nil, err
	}
	segments, err := optional(v, "segments", nil, ReadSegments)
	if err != nil {
		return nil, err
	}
	circuits, err := optional(v, "circuits", nil, ReadCircuits)
	if err != nil {
		return nil, err
	}
	return NewData(rulesets, segments, circuits)
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
func (a *asking) decide(r *Ruleset, state string, percentage *big.Rat) Answer {
	off := func(reason Reason) Answer { return Answer{Variant: r.OffVariant, Reason: reason} }
	everybody := percentage.Cmp(hundred) == 0
	keyMissing := Answer{Variant: r.OffVariant, Reason: TargetingKeyMissing, Error: everybody} // 8

	if !r.Active { // 2
		return off(Disabled)
	}
	if state == Open { // 3
		return off(CircuitOpen)
	}
	switch prerequisite, reason, met := a.requirements(r); met { // 4
	case False:
		answer := off(PrerequisiteFailed)
		answer.Prerequisite, answer.PrerequisiteReason = prerequisite, reason
		return answer
	case Unknown:
		return keyMissing
	}

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
	r *Ruleset, rollout, percentage *big.Rat, split Split, reason Reason, key string, keyMissing Answer,
) Answer {
	possible := split.Possible()
	single := len(possible) == 1
	if rollout.Sign() == 0 || single && possible[0] == r.OffVariant { // 7
		return Answer{Variant: r.OffVariant, Reason: reason}
	}
	if rollout.Cmp(hundred) == 0 && percentage.Cmp(hundred) == 0 && single {
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
	if r.BucketBy == nil {
		return a.question.TargetingKey
	}
	value, _ := a.question.lookup(*r.BucketBy)
	if value.Kind == String {
		return value.Text // a lone surrogate is no hindrance: it is hashed as a question mark
	}
	text, _ := value.AsText()
	return text
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
