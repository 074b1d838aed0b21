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
		"2026-01-00T00:00:00Z", "2026-01-01T24:00:00Z", "2026-01-01T00:60:00Z", "2026-01-01T00:00:61Z", "2026-01-01T00:00:00.Z",
		"2026-01-01T00:00:00+24:00", "2026-01-01T00:00:00+00:60", "2026-01-01T00:00:00+0000", "1900-02-29T00:00:00Z", "2026-01-01T00:00:00Z\n",
	} {
		if got, ok := parseMoment(text); ok {
			t.Errorf("%s is %v", text, got)
		}
	}
}
