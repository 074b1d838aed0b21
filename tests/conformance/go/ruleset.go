package evaluation

import (
	"errors"
	"fmt"
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
	Rollout *big.Rat
	Split   Split
}

// Ruleset says what a team wants of a flag, with defaults filled in.
type Ruleset struct {
	App, Key        string
	Version         *big.Int
	Active          bool
	Rollout         *big.Rat
	Salt            string
	Type            string
	Variants        map[string]Value
	OffVariant      string
	Split           Split
	BucketBy        *string
	Requires        []Requirement
	Allow, Deny     map[string]bool
	Rules           []Rule
	HasCircuit      bool
	ForcedOpen      bool
	ResetGeneration *big.Int
	Metadata        map[string]Value
}

// kinds says which kind of JSON the values of a flag's type are.
var kinds = map[string]Kind{"boolean": Boolean, "string": String, "number": Number, "object": Object}

var maxVersion = new(big.Int).Lsh(big.NewInt(1), 53)

// ReadRuleset reads a ruleset.
func ReadRuleset(v Value) (*Ruleset, error) {
	if err := expect(v, Object); err != nil {
		return nil, err
	}
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
	if r.Key, err = required(v, "key", readString); err != nil {
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
	r.BucketBy, err = optional(v, "bucket_by", nil, orNull(func(v Value) (*string, error) {
		name, err := readString(v)
		return &name, err
	}))
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
	for key, value := range r.Variants {
		if value.Kind != kind {
			return refuse("variants", "%s is %s, not %s", Quote(key), value.Kind, kind)
		}
	}
	if given {
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
	metadata, err := optional(v, "metadata", Value{}, readObject)
	if err != nil {
		return err
	}
	r.Metadata = metadata.Members
	for name, value := range r.Metadata {
		if value.Kind != String && value.Kind != Number && value.Kind != Boolean {
			return refuse("metadata", "%s is %s", Quote(name), value.Kind)
		}
	}
	return nil
}

func (r *Ruleset) readCircuit(v Value) error {
	circuit, err := optional(v, "circuit", Value{}, orNull(readObject))
	if err != nil || circuit.Kind == Null {
		return err
	}
	r.HasCircuit = true
	if r.ForcedOpen, err = optional(circuit, "forced_open", false, readBool); err != nil {
		return fmt.Errorf("circuit: %w", err)
	}
	if r.ResetGeneration, err = optional(circuit, "reset_generation", new(big.Int), readInteger); err != nil {
		return fmt.Errorf("circuit: %w", err)
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
	return readSplit(v, readString)
}

func readSplit(v Value, readVariant func(Value) (string, error)) (Split, error) {
	shares, err := readList(func(v Value) (share Share, err error) {
		if err := expect(v, Object); err != nil {
			return share, err
		}
		if share.Variant, err = required(v, "variant", readVariant); err != nil {
			return share, err
		}
		share.Weight, err = required(v, "weight", readInteger)
		if err == nil && share.Weight.Sign() < 0 {
			err = refuse("weight", "is negative")
		}
		return share, err
	})(v)
	if err == nil && len(Split(shares).Possible()) == 0 {
		err = errors.New("no weight is above 0")
	}
	return shares, err
}

// whole is the split that gives one variant to all.
func whole(variant string) Split {
	return Split{{Variant: variant, Weight: big.NewInt(1)}}
}

func (r *Ruleset) rule(v Value) (rule Rule, err error) {
	if err := expect(v, Object); err != nil {
		return rule, err
	}
	if rule.Name, err = optional(v, "name", "", readString); err != nil {
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
		rule.Rollout, rule.Split = hundred, whole(variant)
		return rule, err
	}
	if rule.Split, err = optional(v, "split", nil, r.split); err != nil {
		return rule, err
	}
	if rule.Split != nil {
		rule.Rollout, err = optional(v, "rollout", hundred, ReadPercentage)
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
	if requirement.Flag, err = required(v, "flag", readString); err != nil {
		return requirement, err
	}
	requirement.Variants, err = optional(v, "variants", nil, orNull(readList(readString)))
	return requirement, err
}

// readVersion reads the version of a ruleset or segment.
func readVersion(v Value) (*big.Int, error) {
	version, err := readInteger(v)
	if err == nil && (version.Sign() < 0 || version.Cmp(maxVersion) > 0) {
		err = errors.New("is not from 0 to 2^53")
	}
	return version, err
}
