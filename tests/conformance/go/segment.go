package evaluation

// Segment is a set of users that conditions can ask for.
type Segment struct {
	App, Key         string
	Version          int64
	Include, Exclude map[string]bool
	When             []*Condition
}

// ReadSegment reads a segment.
func ReadSegment(v Value) (*Segment, error) {
	if err := expect(v, Object); err != nil {
		return nil, err
	}
	if err := checkSchema(v, 1); err != nil {
		return nil, err
	}
	s := &Segment{}
	var err error
	if s.App, err = required(v, "app", readString); err != nil {
		return nil, err
	}
	if s.Key, err = required(v, "key", readKey); err != nil {
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
	return anyOf(keys, func(key string) Truth {
		s := segments[key]
		switch {
		case s == nil:
			return Unknown
		case value == nil:
			return s.says(nil, q, segments)
		}
		return ofItems(*value, func(v Value) Truth {
			if text, ok := v.AsText(); ok {
				return s.says(&text, q, segments)
			}
			return s.says(nil, q, segments)
		})
	})
}
