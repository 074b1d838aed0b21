package evaluation

import "fmt"

// Resolution is an answer as an OpenFeature client is told it.
type Resolution struct {
	Value    Value
	Reason   string
	Metadata map[string]Value // the ruleset's own, and over it what is known of this answer

	// Of an error only these are set.
	ErrorCode string
	Flag      string
	Details   string // for people
}

// OpenFeature translates the answer of a flag for OpenFeature clients.
func (a Answer) OpenFeature(flag string) Resolution {
	if a.Error {
		return Resolution{ErrorCode: string(a.Reason), Flag: flag, Details: a.details(flag)}
	}
	resolution := Resolution{Value: a.Ruleset.written(a.Value), Reason: string(a.Reason), Metadata: map[string]Value{}}
	set := func(name, text string) {
		if text != "" {
			resolution.Metadata[name] = Value{Kind: String, Text: text, Raw: Quote(text)}
		}
	}
	for name, value := range a.Ruleset.Metadata {
		if !reserved[name] {
			resolution.Metadata[name] = value
		}
	}
	version := fmt.Sprint(a.Ruleset.Version)
	resolution.Metadata["version"] = Value{Kind: Number, Text: version, Raw: version}
	resolution.Metadata["active"] = Value{Kind: Boolean, Bool: a.Active, Raw: fmt.Sprint(a.Active)}
	set("circuit", a.Circuit)
	set("rule", a.Rule)
	set("prerequisite", a.Prerequisite)
	set("prerequisite_reason", string(a.PrerequisiteReason))
	switch a.Reason {
	case Disabled:
		set("disabled_by", "flag")
	case CircuitOpen, TargetingKeyMissing:
		set("disabled_by", "circuit")
	case PrerequisiteFailed:
		set("disabled_by", "prerequisite")
	default:
		return resolution
	}
	resolution.Reason = string(Disabled)
	return resolution
}

// reserved lists the names of metadata that a ruleset's own cannot have.
var reserved = map[string]bool{
	"circuit": true, "version": true, "rule": true, "prerequisite": true, "prerequisite_reason": true, "disabled_by": true,
	"stale": true, "active": true,
}

// written is a number with a fraction if another number of the flag has one, since some SDKs tell integers from floats.
func (r *Ruleset) written(v Value) Value {
	if !v.isInteger() {
		return v
	}
	for _, other := range r.Variants {
		if number, _ := parseNumber(other.Text); number != nil && !number.IsInt() {
			return Value{Kind: Number, Text: v.Text + ".0", Raw: v.Text + ".0"}
		}
	}
	return v
}

func (a Answer) details(flag string) string {
	switch {
	case a.Reason == FlagNotFound:
		return fmt.Sprintf("there is no flag %s", Quote(flag))
	case a.Ruleset.BucketBy != "":
		return fmt.Sprintf("the flag %s needs the attribute %s", Quote(flag), Quote(a.Ruleset.BucketBy))
	}
	return fmt.Sprintf("the flag %s needs a targeting key", Quote(flag))
}
