package evaluation

import "testing"

func TestTextOfValues(t *testing.T) {
	for text, want := range map[string]string{
		`"é"`: "é", `true`: "true", `false`: "false",
		`5`: "5", `5.0`: "5", `-5`: "-5", `-0`: "0", `-0.0`: "0", `1e3`: "1000", `0.0000001`: "0.0000001", `1e-7`: "0.0000001",
		`1.10`: "1.1", `18446744073709551615`: "18446744073709551615", `-9223372036854775808`: "-9223372036854775808",
		`9007199254740993`: "9007199254740993", `1e19`: "10000000000000000000", `1e-400`: "0",
	} {
		if got, ok := parse(t, text).AsText(); !ok || got != want {
			t.Errorf("%s: %q, %v, not %q", text, got, ok, want)
		}
	}
	for _, text := range []string{
		`null`, `[]`, `{}`, `"\ud800"`, `18446744073709551616`, `-9223372036854775809`,
		`-9223372036854775808.0`, `1e20`, `1e400`,
	} {
		if got, ok := parse(t, text).AsText(); ok {
			t.Errorf("%s has the text %q", text, got)
		}
	}
}

func TestLower(t *testing.T) {
	for text, want := range map[string]string{
		"ABC": "abc", "İ": "i\u0307", "ΟΔΟΣ": "οδος", "ΟΔΟΣ.": "οδος.", "Σ": "σ", "ΣΑΣ ΣΑΣΑ": "σας σασα", "Α'Σ": "α'ς", "Σ.Α": "σ.α",
		"ẞ": "ß", "K": "k",
	} {
		if got := Lower(text); got != want {
			t.Errorf("%s: %s, not %s", text, got, want)
		}
	}
}

func TestQuoteWritesWhatWasRead(t *testing.T) {
	for _, text := range []string{`"a"`, `"\ud800"`, `"x\udfffy🦊\u0000\"\\"`} {
		if got := Quote(parse(t, text).Text); got != text {
			t.Errorf("%s became %s", text, got)
		}
	}
}

func TestWhatIsNoJSON(t *testing.T) {
	for _, text := range []string{
		``, `{`, `01`, `1.`, `.5`, `+1`, `NaN`, `"\x"`, `"\u12"`, "\"\n\"", `1 2`, "\"\xff\"", `[1,]`,
		"\"\xed\xa0\x80\"",
	} {
		if v, err := ParseJSON(text); err == nil {
			t.Errorf("%q was read as %v", text, v)
		}
	}
}
