package evaluation

import (
	"errors"
	"fmt"
	"math"
	"math/big"
	"strconv"
)

// Requirement is one entry of requires.
type Requirement struct {
	Flag     string
	Variants []string // nil for any but the off variant
}

// Rule is a rule with what it leaves to the flag filled in.
type Rule struct {
	Name    string
	When    []*Condition
	Rollout float64
	Split   Split
}

// Ruleset says what a team wants of a flag, with defaults filled in.
type Ruleset struct {
	App, Key        string
	Version         int64
	Active          bool
	Rollout         float64
	Salt            string
	Type            string
	Variants        map[string]Value
	OffVariant      string
	Split           Split
	BucketBy        string // empty for the targeting key
	Requires        []Requirement
	Allow, Deny     map[string]bool
	Rules           []Rule
	HasCircuit      bool
	ForcedOpen      bool
	ResetGeneration int64
	Metadata        map[string]Value
}

// kinds says which kind of JSON the values of a flag's type are.
var kinds = map[string]Kind{"boolean": Boolean, "string": String, "number": Number, "object": Object}

// What a ruleset may have at most.
const (
	maxInteger       = 1 << 53
	maxWeight        = 1_000_000
	maxVariants      = 100
	maxPrerequisites = 20
	maxMetadata      = 50
	maxObjects       = 32 // one in the other
)

// ReadRuleset reads a ruleset.
func ReadRuleset(v Value) (*Ruleset, error) {
	if err := expect(v, Object); err != nil {
		return nil, err
	}
	if err := checkSchema(v, 1, 2); err != nil {
		return nil, err
	}
	v = withoutNulls(v, "variants", "split", "bucket_by", "circuit", "metadata")
	r := &Ruleset{}
	var err error
	// All that stands for itself comes first, then what depends on other fields.
	for _, read := range []func(Value) error{
		r.readNames, r.readVariants, r.readSplit, r.readLists, r.readCircuit,
	} {
		if err = read(v); err != nil {
			return nil, err
		}
	}
	return r, nil
}

func (r *Ruleset) readNames(v Value) (err error) {
	if r.App, err = required(v, "app", readString); err != nil {
		return err
	}
	if r.Key, err = required(v, "key", readKey); err != nil {
		return err
	}
	if r.Version, err = required(v, "version", readVersion); err != nil {
		return err
	}
	if r.Active, err = required(v, "active", readBool); err != nil {
		return err
	}
	if r.Rollout, err = required(v, "rollout", ReadPercentage); err != nil {
		return err
	}
	if r.Salt, err = required(v, "salt", readString); err != nil {
		return err
	}
	r.BucketBy, err = optional(v, "bucket_by", "", readName)
	return err
}

func (r *Ruleset) readVariants(v Value) (err error) {
	if r.Type, err = optional(v, "type", "boolean", readString); err != nil {
		return err
	}
	kind, known := kinds[r.Type]
	if !known {
		return refuse("type", "there is none called %s", Quote(r.Type))
	}
	_, given := v.Members["variants"]
	if given || r.Type != "boolean" {
		variants, err := required(v, "variants", readObject)
		if err != nil {
			return err
		}
		r.Variants = variants.Members
	} else {
		r.Variants = map[string]Value{
			"on":  {Kind: Boolean, Bool: true, Raw: "true"},
			"off": {Kind: Boolean, Raw: "false"},
		}
	}
	if len(r.Variants) > maxVariants {
		return refuse("variants", "are more than %d", maxVariants)
	}
	for key, value := range r.Variants {
		if _, err := readKey(Value{Kind: String, Text: key}); err != nil {
			return refuse("variants", "%s", err)
		}
		if value.Kind != kind {
			return refuse("variants", "%s is %s, not %s", Quote(key), value.Kind, kind)
		}
		if err := checkValue(value, maxObjects); err != nil {
			return refuse("variants", "%s: %s", Quote(key), err)
		}
	}
	on, off := r.Variants["on"], r.Variants["off"]
	if isDefault := len(r.Variants) == 2 && on.Bool && off.Kind == Boolean && !off.Bool; !isDefault {
		r.OffVariant, err = required(v, "off_variant", readString)
	} else {
		r.OffVariant, err = optional(v, "off_variant", "off", readString)
	}
	if err != nil {
		return err
	}
	if _, there := r.Variants[r.OffVariant]; !there {
		return refuse("off_variant", "there is no variant %s", Quote(r.OffVariant))
	}
	return nil
}

func (r *Ruleset) readSplit(v Value) (err error) {
	if r.Split, err = optional(v, "split", nil, r.split); err != nil || r.Split != nil {
		return err
	}
	switch len(r.Variants) {
	case 1: // only the off variant is there
		r.Split = whole(r.OffVariant)
	case 2:
		for key := range r.Variants {
			if key != r.OffVariant {
				r.Split = whole(key)
			}
		}
	default:
		return refuse("split", "is missing, and there are several variants beside the off variant")
	}
	return nil
}

func (r *Ruleset) readLists(v Value) (err error) {
	if r.Requires, err = optional(v, "requires", nil, readList(readRequirement)); err != nil {
		return err
	}
	if len(r.Requires) > maxPrerequisites {
		return refuse("requires", "has more than %d entries", maxPrerequisites)
	}
	flags := map[string]bool{}
	for _, requirement := range r.Requires {
		if flags[requirement.Flag] {
			return refuse("requires", "has the flag %s twice", Quote(requirement.Flag))
		}
		flags[requirement.Flag] = true
	}
	if r.Allow, err = optional(v, "allow", nil, readSet); err != nil {
		return err
	}
	if r.Deny, err = optional(v, "deny", nil, readSet); err != nil {
		return err
	}
	if r.Rules, err = optional(v, "rules", nil, readList(r.rule)); err != nil {
		return err
	}
	for i := range r.Rules {
		if r.Rules[i].Name == "" {
			r.Rules[i].Name = strconv.Itoa(i + 1)
		}
	}
	names := map[string]bool{}
	for _, rule := range r.Rules {
		if names[rule.Name] {
			return refuse("rules", "two are called %s", Quote(rule.Name))
		}
		names[rule.Name] = true
	}
	metadata, err := optional(v, "metadata", Value{}, readObject)
	if err != nil {
		return err
	}
	r.Metadata = metadata.Members
	if len(r.Metadata) > maxMetadata {
		return refuse("metadata", "has more than %d entries", maxMetadata)
	}
	for name, value := range r.Metadata {
		if value.Kind != String && value.Kind != Number && value.Kind != Boolean {
			return refuse("metadata", "%s is %s", Quote(name), value.Kind)
		}
		if err := checkValue(value, 0); err != nil {
			return refuse("metadata", "%s: %s", Quote(name), err)
		}
	}
	return nil
}

func (r *Ruleset) readCircuit(v Value) error {
	circuit, err := optional(v, "circuit", Value{}, readObject)
	if err != nil || circuit.Kind == Null {
		return err
	}
	r.HasCircuit = true
	if r.ForcedOpen, err = optional(circuit, "forced_open", false, readBool); err != nil {
		return refuse("circuit", "%s", err)
	}
	if r.ResetGeneration, err = optional(circuit, "reset_generation", 0, readIntegerTo(maxInteger)); err != nil {
		return refuse("circuit", "%s", err)
	}
	return nil
}

// variant reads the key of a variant that there is.
func (r *Ruleset) variant(v Value) (string, error) {
	key, err := readString(v)
	if err != nil {
		return "", err
	}
	if _, there := r.Variants[key]; !there {
		return "", fmt.Errorf("there is no variant %s", Quote(key))
	}
	return key, nil
}

func (r *Ruleset) split(v Value) (Split, error) {
	return readSplit(v, r.variant)
}

// ReadSplit reads a split without looking whether its variants are there.
func ReadSplit(v Value) (Split, error) {
	return readSplit(v, readKey)
}

func readSplit(v Value, readVariant func(Value) (string, error)) (Split, error) {
	shares, err := readList(func(v Value) (share Share, err error) {
		if err := expect(v, Object); err != nil {
			return share, err
		}
		if share.Variant, err = required(v, "variant", readVariant); err != nil {
			return share, err
		}
		share.Weight, err = required(v, "weight", readIntegerTo(maxWeight))
		return share, err
	})(v)
	if err != nil {
		return nil, err
	}
	seen := map[string]bool{}
	for _, share := range shares {
		if seen[share.Variant] {
			return nil, fmt.Errorf("has the variant %s twice", Quote(share.Variant))
		}
		seen[share.Variant] = true
	}
	if len(Split(shares).Possible()) == 0 {
		return nil, errors.New("no weight is above 0")
	}
	return shares, nil
}

// whole is the split that gives one variant to all.
func whole(variant string) Split {
	return Split{{Variant: variant, Weight: 1}}
}

func (r *Ruleset) rule(v Value) (rule Rule, err error) {
	if err := expect(v, Object); err != nil {
		return rule, err
	}
	v = withoutNulls(v, "split", "variant", "name")
	if rule.Name, err = optional(v, "name", "", readKey); err != nil {
		return rule, err
	}
	if rule.When, err = required(v, "when", readList(ReadCondition)); err != nil {
		return rule, err
	}
	if len(rule.When) == 0 {
		return rule, refuse("when", "has to have at least one condition")
	}
	if _, there := v.Members["variant"]; there {
		for _, name := range []string{"rollout", "split"} {
			if _, there := v.Members[name]; there {
				return rule, refuse(name, "cannot be beside variant")
			}
		}
		variant, err := required(v, "variant", r.variant)
		rule.Rollout, rule.Split = 100, whole(variant)
		return rule, err
	}
	if rule.Split, err = optional(v, "split", nil, r.split); err != nil {
		return rule, err
	}
	if rule.Split != nil {
		rule.Rollout, err = optional(v, "rollout", 100, ReadPercentage)
	} else {
		rule.Split = r.Split
		rule.Rollout, err = required(v, "rollout", ReadPercentage)
	}
	return rule, err
}

func readRequirement(v Value) (requirement Requirement, err error) {
	if err := expect(v, Object); err != nil {
		return requirement, err
	}
	v = withoutNulls(v, "variants")
	if requirement.Flag, err = required(v, "flag", readKey); err != nil {
		return requirement, err
	}
	requirement.Variants, err = optional(v, "variants", nil, readList(readKey))
	if err == nil && requirement.Variants != nil && len(requirement.Variants) == 0 {
		err = refuse("variants", "has to have at least one")
	}
	return requirement, err
}

// readVersion reads the version of a ruleset or segment.
func readVersion(v Value) (int64, error) {
	return readIntegerTo(maxInteger)(v)
}

// checkValue looks for what the value of a variant must not have: numbers that are too large, and more objects and lists
// in one another than depth.
func checkValue(v Value, depth int) error {
	switch v.Kind {
	case Number:
		n, err := strconv.ParseFloat(v.Text, 64)
		if err != nil || math.Abs(n) > maxInteger {
			return errors.New("has a number beyond 2^53")
		}
		if v.isInteger() {
			if n, err := readInteger(v); err != nil || n.CmpAbs(big.NewInt(maxInteger)) > 0 {
				return errors.New("has an integer beyond 2^53") // one that a double rounds to 2^53
			}
		}
	case String:
		if !ValidText(v.Text) {
			return errors.New("has a text that is not valid Unicode")
		}
	case List, Object:
		if depth == 0 {
			return fmt.Errorf("has more than %d levels", maxObjects)
		}
	}
	for _, item := range v.Items {
		if err := checkValue(item, depth-1); err != nil {
			return err
		}
	}
	for _, member := range v.Members {
		if err := checkValue(member, depth-1); err != nil {
			return err
		}
	}
	return nil
}
