package evaluation

// Resolution is an answer as an OpenFeature client is told it.
type Resolution struct {
	Reason    string
	ErrorCode string           // empty if the answer is no error
	Metadata  map[string]Value // the ruleset's own, and over it what is known of this answer
}

// OpenFeature translates an answer for OpenFeature clients.
func (a Answer) OpenFeature() Resolution {
	resolution := Resolution{Reason: string(a.Reason), Metadata: map[string]Value{}}
	set := func(name, text string) {
		if text != "" {
			resolution.Metadata[name] = Value{Kind: String, Text: text, Raw: Quote(text)}
		}
	}
	if a.Ruleset != nil {
		for name, value := range a.Ruleset.Metadata {
			resolution.Metadata[name] = value
		}
		version := a.Ruleset.Version.String()
		resolution.Metadata["version"] = Value{Kind: Number, Text: version, Raw: version}
	}
	set("circuit", a.Circuit)
	set("rule", a.Rule)
	set("prerequisite", a.Prerequisite)
	set("prerequisite_reason", string(a.PrerequisiteReason))
	if a.Error {
		resolution.Reason, resolution.ErrorCode = "ERROR", string(a.Reason)
		return resolution
	}
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
