package evaluation

import (
	"testing"
	"time"
)

func TestDaysAreThoseOfTheCalendar(t *testing.T) {
	for day := time.Date(0, 1, 1, 0, 0, 0, 0, time.UTC); day.Year() <= 9999; day = day.AddDate(0, 0, 13) {
		text := day.Format("2006-01-02T15:04:05Z07:00")
		if got, ok := parseMoment(text); !ok || got.seconds != day.Unix() || got.fraction != "" {
			t.Fatalf("%s is %v, %v", text, got, ok)
		}
	}
}

func TestTimesThatThereAreNot(t *testing.T) {
	for _, text := range []string{
		"2026-11-28", "2026-11-28 17:00:00Z", "2026-11-28T17:00Z", "2026-11-28T17:00:00", "2026-11-31T00:00:00Z", "2026-00-01T00:00:00Z",
		"2026-01-00T00:00:00Z", "2026-01-01T24:00:00Z", "2026-01-01T00:60:00Z", "2026-01-01T00:00:61Z", "2026-01-01T00:00:60Z", "2026-01-30T23:59:60Z", "2026-12-31T23:59:60+01:00", "2026-01-01T00:00:00.Z",
		"2026-01-01T00:00:00+24:00", "2026-01-01T00:00:00+00:60", "2026-01-01T00:00:00+0000", "1900-02-29T00:00:00Z", "2026-01-01T00:00:00Z\n",
	} {
		if got, ok := parseMoment(text); ok {
			t.Errorf("%s is %v", text, got)
		}
	}
}

func TestLeapSecondsAreThoseAfter(t *testing.T) {
	for leap, after := range map[string]string{
		"2016-12-31T23:59:60Z":          "2017-01-01T00:00:00Z",
		"2016-12-31T15:59:60.5-08:00":   "2017-01-01T00:00:00.50Z",
		"2017-01-01T05:29:60+05:30":     "2016-12-31T23:59:60-00:00",
		"2024-02-29T23:59:60Z":          "2024-03-01T00:00:00Z",
		"2024-11-30T23:59:60.000+00:00": "2024-12-01T00:00:00Z",
		"0000-01-01T00:59:60+01:00":     "0000-01-01T00:00:00Z",
	} {
		a, okA := parseMoment(leap)
		b, okB := parseMoment(after)
		if !okA || !okB || a.compare(b) != 0 {
			t.Errorf("%s is %v, %v and %s is %v, %v", leap, a, okA, after, b, okB)
		}
	}
}
