package evaluation

import (
	"fmt"
	"math/big"
)

// Segment is a set of users that conditions can ask for.
type Segment struct {
	App, Key         string
	Version          *big.Int
	Include, Exclude map[string]bool
	When             []*Condition
}

// ReadSegment reads a segment.
func ReadSegment(v Value) (*Segment, error) {
	if err := expect(v, Object); err != nil {
		return nil, err
	}
	s := &Segment{}
	var err error
	if s.App, err = required(v, "app", readString); err != nil {
		return nil, err
	}
	if s.Key, err = required(v, "key", readString); err != nil {
		return nil, err
	}
	if s.Version, err = required(v, "version", readVersion); err != nil {
		return nil, err
	}
	if s.Include, err = optional(v, "include", nil, readSet); err != nil {
		return nil, err
	}
	if s.Exclude, err = optional(v, "exclude", nil, readSet); err != nil {
		return nil, err
	}
	if s.When, err = optional(v, "when", nil, readList(ReadCondition)); err != nil {
		return nil, err
	}
	for i, c := range s.When {
		if c.Operator == "in_segment" {
			return nil, refuse("when", "item %d: in_segment is not allowed in a segment", i+1)
		}
	}
	return s, nil
}

// ReadSegments reads a list of segments, by key.
func ReadSegments(v Value) (map[string]*Segment, error) {
	list, err := readList(ReadSegment)(v)
	if err != nil {
		return nil, err
	}
	segments := map[string]*Segment{}
	for _, s := range list {
		if segments[s.Key] != nil {
			return nil, fmt.Errorf("two have the key %s", Quote(s.Key))
		}
		segments[s.Key] = s
	}
	return segments, nil
}

func readSet(v Value) (map[string]bool, error) {
	texts, err := readList(readString)(v)
	set := map[string]bool{}
	for _, text := range texts {
		set[text] = true
	}
	return set, err
}

// says is what the segment says for a text; for a missing value that is nil.
func (s *Segment) says(text *string, q Question, segments map[string]*Segment) Truth {
	if text != nil {
		if s.Exclude[*text] {
			return False
		}
		if s.Include[*text] {
			return True
		}
	}
	if len(s.When) > 0 && allHold(s.When, q, segments) {
		if text == nil && len(s.Exclude) > 0 {
			return Unknown
		}
		return True
	}
	if text == nil && len(s.Include)+len(s.Exclude) > 0 {
		return Unknown
	}
	return False
}

// inSegments says whether one of the named segments has a value; a missing one is nil.
func inSegments(keys []string, segments map[string]*Segment, q Question, value *Value) Truth {
	var asked *string
	if value != nil {
		if text, ok := value.AsText(); ok {
			asked = &text
		}
	}
	result := False
	for _, key := range keys {
		said := Unknown
		if s := segments[key]; s != nil {
			said = s.says(asked, q, segments)
		}
		switch said {
		case True:
			return True
		case Unknown:
			result = Unknown
		}
	}
	return result
}
