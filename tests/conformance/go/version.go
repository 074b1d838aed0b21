package evaluation

import (
	"errors"
	"regexp"
	"strconv"
	"strings"
)

// version is a version of SemVer 2.0.0, of which minor and patch may be missing. The build is left out.
type version struct {
	numbers    [3]uint64
	parts      int // how many of the numbers are given
	prerelease []string
}

const (
	numeric      = `(0|[1-9][0-9]{0,17})`
	prereleaseID = `(?:0|[1-9][0-9]*|[0-9]*[A-Za-z-][0-9A-Za-z-]*)`
	buildID      = `[0-9A-Za-z-]+`
)

var versionPattern = regexp.MustCompile(`^v?` + numeric + `(?:\.` + numeric + `(?:\.` + numeric + `)?)?` +
	`(?:-(` + prereleaseID + `(?:\.` + prereleaseID + `)*))?` +
	`(?:\+` + buildID + `(?:\.` + buildID + `)*)?$`)

func parseVersion(text string) (version, bool) {
	groups := versionPattern.FindStringSubmatch(text)
	if groups == nil {
		return version{}, false
	}
	var v version
	for i, digits := range groups[1:4] {
		if digits != "" {
			v.numbers[i], _ = strconv.ParseUint(digits, 10, 64)
			v.parts = i + 1
		}
	}
	if groups[4] != "" {
		v.prerelease = strings.Split(groups[4], ".")
	}
	return v, true
}

// compare orders versions as SemVer §11 says.
func (v version) compare(other version) int {
	for i := range v.numbers {
		if c := compare(v.numbers[i], other.numbers[i]); c != 0 {
			return c
		}
	}
	if len(v.prerelease) == 0 || len(other.prerelease) == 0 {
		return compare(len(other.prerelease), len(v.prerelease)) // a pre-release is before its version
	}
	for i := 0; i < len(v.prerelease) && i < len(other.prerelease); i++ {
		if c := compareIdentifiers(v.prerelease[i], other.prerelease[i]); c != 0 {
			return c
		}
	}
	return compare(len(v.prerelease), len(other.prerelease))
}

func compareIdentifiers(a, b string) int {
	numericA, numericB := isDigits(a), isDigits(b)
	switch {
	case numericA && numericB && len(a) != len(b): // there are no leading zeros
		return compare(len(a), len(b))
	case numericA && !numericB:
		return -1
	case numericB && !numericA:
		return 1
	}
	return strings.Compare(a, b)
}

func isDigits(s string) bool {
	return strings.Trim(s, "0123456789") == ""
}

// full is the version as one with all parts: those that are not given are 0.
func (v version) full() version {
	v.parts = 3
	return v
}

// partial tells whether parts are missing that a range may fill.
func (v version) partial() bool {
	return v.parts < 3
}

// after is the lowest version in which the number at this place is one more and those behind it are 0.
func (v version) after(place int) version {
	next := version{parts: 3}
	copy(next.numbers[:place+1], v.numbers[:place+1])
	next.numbers[place]++
	return next
}

// first is the version with its lowest pre-release.
func (v version) first() version {
	v.parts = 3
	v.prerelease = []string{"0"}
	return v
}

// bound is one side of a range.
type bound struct {
	operator string // <, <=, =, >= or >
	version  version
}

func (b bound) holds(v version) bool {
	return compares(b.operator, v.compare(b.version))
}

// compares tells whether a comparison with this result is what the operator asks for.
func compares(operator string, result int) bool {
	switch operator {
	case "<":
		return result < 0
	case "<=":
		return result <= 0
	case ">":
		return result > 0
	case ">=":
		return result >= 0
	}
	return result == 0
}

var comparator = regexp.MustCompile(`^(\^|~|<=|<|>=|>|=)? *([^ ]+) *`)

// parseRange reads a range: bounds all of which have to hold.
func parseRange(text string) ([]bound, error) {
	var bounds []bound
	for rest := strings.Trim(text, " "); rest != "" || len(bounds) == 0; {
		groups := comparator.FindStringSubmatch(rest)
		if groups == nil {
			return nil, errors.New("is no range")
		}
		v, ok := parseVersion(groups[2])
		if !ok || v.partial() && len(v.prerelease) > 0 {
			return nil, errors.New("is no range")
		}
		rest = rest[len(groups[0]):]
		bounds = append(bounds, expand(groups[1], v)...)
	}
	return bounds, nil
}

// expand says what one comparator means, as bounds on whole versions.
func expand(operator string, v version) []bound {
	atLeast := bound{">=", v.full()}
	last := v.parts - 1
	switch operator {
	case "^":
		place := 0
		for place < last && v.numbers[place] == 0 {
			place++
		}
		return []bound{atLeast, {"<", v.after(place).first()}}
	case "~":
		return []bound{atLeast, {"<", v.after(smaller(last, 1)).first()}}
	case ">=":
		return []bound{atLeast}
	case "<":
		if v.partial() {
			return []bound{{"<", v.first()}}
		}
		return []bound{{"<", v.full()}}
	case ">":
		if v.partial() {
			return []bound{{">=", v.after(last)}}
		}
		return []bound{{">", v.full()}}
	case "<=":
		if v.partial() {
			return []bound{{"<", v.after(last).first()}}
		}
		return []bound{{"<=", v.full()}}
	}
	if v.partial() {
		return []bound{atLeast, {"<", v.after(last).first()}}
	}
	return []bound{{"=", v.full()}}
}
