package evaluation

import (
	"fmt"
	"strings"
	"testing"
)

// TestComparators goes through the table of ranges: what each comparator means as bounds.
func TestComparators(t *testing.T) {
	for text, want := range map[string]string{
		"^1.2.3": ">=1.2.3 <2.0.0-0", "^1.2": ">=1.2.0 <2.0.0-0", "^1": ">=1.0.0 <2.0.0-0",
		"^0.2.3": ">=0.2.3 <0.3.0-0", "^0.2": ">=0.2.0 <0.3.0-0",
		"^0.0.3": ">=0.0.3 <0.0.4-0",
		"^0.0":   ">=0.0.0 <0.1.0-0", "^0": ">=0.0.0 <1.0.0-0",
		"~1.2.3": ">=1.2.3 <1.3.0-0", "~1.2": ">=1.2.0 <1.3.0-0",
		"~1":    ">=1.0.0 <2.0.0-0",
		"1.2.3": "=1.2.3", "=1.2.3": "=1.2.3",
		"1.2": ">=1.2.0 <1.3.0-0", "=1.2": ">=1.2.0 <1.3.0-0", "1": ">=1.0.0 <2.0.0-0", "=1": ">=1.0.0 <2.0.0-0",
		">=1.2.3": ">=1.2.3", ">=1.2": ">=1.2.0", ">=1": ">=1.0.0",
		"<1.2.3": "<1.2.3",
		"<1.2":   "<1.2.0-0", "<1": "<1.0.0-0",
		">1.2.3": ">1.2.3",
		">1.2":   ">=1.3.0", ">1": ">=2.0.0",
		"<=1.2.3": "<=1.2.3",
		"<=1.2":   "<1.3.0-0", "<=1": "<2.0.0-0",
		">= v1.2.3-rc.1  < 2+b": ">=1.2.3-rc.1 <2.0.0-0",
		"^1.2.3-rc.1":           ">=1.2.3-rc.1 <2.0.0-0",
		" 1.2+b ":               ">=1.2.0 <1.3.0-0",
		"^0.0.0":                ">=0.0.0 <0.0.1-0",
	} {
		bounds, err := parseRange(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		var parts []string
		for _, b := range bounds {
			part := fmt.Sprintf("%s%d.%d.%d", b.operator, b.version.numbers[0], b.version.numbers[1], b.version.numbers[2])
			if len(b.version.prerelease) > 0 {
				part += "-" + strings.Join(b.version.prerelease, ".")
			}
			parts = append(parts, part)
		}
		if got := strings.Join(parts, " "); got != want {
			t.Errorf("%s is %s, not %s", text, got, want)
		}
	}
	for _, text := range []string{"", " ", "1.x", "*", "~>1", "==1", ">=1.2.3<2", "1 || 2", "^", "1.2.3 -", "a", "1,2", ">1.2-rc", "^1-0", "1\t"} {
		if bounds, err := parseRange(text); err == nil {
			t.Errorf("%q was read as %v", text, bounds)
		}
	}
}

// TestOrder is the example of SemVer §11.
func TestOrder(t *testing.T) {
	order := strings.Fields(`0.9.9 1.0.0-0 1.0.0-9 1.0.0-10 1.0.0-99999999999999999999 1.0.0-111111111111111111111 1.0.0-alpha 1.0.0-alpha.1 1.0.0-alpha.beta 1.0.0-beta 1.0.0-beta.2 1.0.0-beta.11
		1.0.0-rc.1 1.0.0 2.0.0 2.1.0 2.1.1 999999999999999999.0.0`)
	for i, a := range order {
		for j, b := range order {
			versionA, okA := parseVersion(a)
			versionB, okB := parseVersion(b)
			if !okA || !okB {
				t.Fatalf("%s or %s is no version", a, b)
			}
			if got := versionA.compare(versionB); (got < 0) != (i < j) || (got > 0) != (i > j) {
				t.Errorf("%s to %s: %d", a, b, got)
			}
		}
	}
}

func TestVersions(t *testing.T) {
	for _, text := range []string{"1", "v1.2", "1.2.3-0a.b-c+001.x", "1-rc", "1+b", "0.0.0", "1.2.3--", "1.0.0-1234567890123456789"} {
		if _, ok := parseVersion(text); !ok {
			t.Errorf("%s is no version", text)
		}
	}
	for _, text := range []string{"", "V1", "1.", "1.2.3.4", "01", "1.02", "1-01", "1-", "1-a..b", "1+", "-1", "1234567890123456789", "1 "} {
		if _, ok := parseVersion(text); ok {
			t.Errorf("%s is a version", text)
		}
	}
}
