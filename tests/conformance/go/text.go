package evaluation

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// ValidText tells whether a string is valid Unicode: without surrogates that lack their other half.
func ValidText(s string) bool {
	return utf8.ValidString(s)
}

// AsText is the text of a value; not ok if it has none: a list, an object, null, and what cannot be compared.
func (v Value) AsText() (text string, ok bool) {
	switch v.Kind {
	case String:
		return v.Text, ValidText(v.Text)
	case Boolean:
		if v.Bool {
			return "true", true
		}
		return "false", true
	case Number:
		number, _ := parseNumber(v.Text)
		if number == nil {
			return "", false
		}
		return numberText(number), true
	}
	return "", false
}

// Lower puts a text in lower case by Unicode's full mapping. Beyond the mapping of single characters, which
// [unicode.ToLower] does, that has two rules: for I with a dot, and for a sigma that ends a word.
func Lower(s string) string {
	var b strings.Builder
	for i, r := range s {
		switch {
		case r == 'İ':
			b.WriteString("i\u0307")
		case r == 'Σ' && endsWord(s[:i], s[i+len("Σ"):]):
			b.WriteRune('ς')
		default:
			b.WriteRune(unicode.ToLower(r))
		}
	}
	return b.String()
}

// endsWord is the condition Final_Sigma of Unicode: a cased letter is before, and none after, characters that are
// ignored left out.
func endsWord(before, after string) bool {
	for before != "" {
		r, size := utf8.DecodeLastRuneInString(before)
		before = before[:len(before)-size]
		if caseIgnorable(r) {
			continue
		}
		if !cased(r) {
			return false
		}
		for _, r := range after {
			if !caseIgnorable(r) {
				return !cased(r)
			}
		}
		return true
	}
	return false
}

func cased(r rune) bool {
	return unicode.In(r, unicode.Ll, unicode.Lu, unicode.Lt, unicode.Other_Lowercase, unicode.Other_Uppercase)
}

// caseIgnorable is Unicode's property Case_Ignorable: by categories, and the marks that can be inside a word.
func caseIgnorable(r rune) bool {
	return unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf, unicode.Lm, unicode.Sk) ||
		strings.ContainsRune("'.:\u00b7\u0387\u055f\u05f4\u2018\u2019\u2024\u2027\ufe13\ufe52\ufe55\uff07\uff0e\uff1a", r)
}
