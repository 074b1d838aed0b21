package evaluation

import "testing"

// parse reads JSON that a test has written.
func parse(t *testing.T, text string) Value {
	t.Helper()
	v, err := ParseJSON(text)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return v
}
