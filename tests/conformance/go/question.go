package evaluation

import "strings"

// TargetingKey is the attribute under which conditions find the targeting key.
const TargetingKey = "targetingKey"

// Question is who asks. A targeting key that is missing is empty.
type Question struct {
	TargetingKey string
	Attributes   map[string]Value
}

// ReadQuestion reads the context of a question.
func ReadQuestion(v Value) (Question, error) {
	var q Question
	if err := expect(v, Object); err != nil {
		return q, err
	}
	var err error
	if q.TargetingKey, err = optional(v, "targeting_key", "", readString); err != nil {
		return q, err
	}
	attributes, err := optional(v, "attributes", Value{}, readObject)
	q.Attributes = attributes.Members
	return q, err
}

// lookup finds the value that an attribute's name leads to; not ok if it is missing.
func (q Question) lookup(name string) (value Value, ok bool) {
	if name == TargetingKey {
		return Value{Kind: String, Text: q.TargetingKey}, q.TargetingKey != ""
	}
	if value := q.Attributes[name]; value.Kind != Null {
		return value, true
	}
	members := q.Attributes
	for _, part := range strings.Split(name, ".") {
		value = members[part] // null where there is none
		members = value.Members
	}
	return value, value.Kind != Null
}
