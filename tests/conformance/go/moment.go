package evaluation

import (
	"regexp"
	"strconv"
	"strings"
)

// moment is a point in time, exact with any number of digits.
type moment struct {
	seconds  int64  // since 1970
	fraction string // digits of the part of a second, without zeros at the end
}

var dateTime = regexp.MustCompile(
	`^([0-9]{4})-([0-9]{2})-([0-9]{2})[Tt]([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.([0-9]+))?(?:[Zz]|([+-])([0-9]{2}):([0-9]{2}))$`)

// parseMoment reads a date-time of RFC 3339 §5.6.
func parseMoment(text string) (moment, bool) {
	parts := dateTime.FindStringSubmatch(text)
	if parts == nil {
		return moment{}, false
	}
	number := func(i int) int64 {
		n, _ := strconv.ParseInt(parts[i], 10, 64) // a part that is not there is 0
		return n
	}
	year, month, day := number(1), number(2), number(3)
	hour, minute, second := number(4), number(5), number(6)
	offsetHour, offsetMinute := number(9), number(10)
	if month < 1 || month > 12 || day < 1 || day > daysOf(year, month) ||
		hour > 23 || minute > 59 || second > 60 || offsetHour > 23 || offsetMinute > 59 {
		return moment{}, false
	}
	offset := (offsetHour*60 + offsetMinute) * 60
	if parts[8] == "-" {
		offset = -offset
	}
	seconds := ((daysUntil(year, month, day)*24+hour)*60+minute)*60 + second - offset
	if second == 60 && !startsMonth(seconds, year, month) {
		return moment{}, false
	}
	return moment{seconds: seconds, fraction: strings.TrimRight(parts[7], "0")}, true
}

// compare is negative if m is earlier than other, positive if it is later.
func (m moment) compare(other moment) int {
	switch {
	case m.seconds < other.seconds:
		return -1
	case m.seconds > other.seconds:
		return 1
	}
	return strings.Compare(m.fraction, other.fraction)
}

func daysOf(year, month int64) int64 {
	switch month {
	case 4, 6, 9, 11:
		return 30
	case 2:
		if year%4 == 0 && (year%100 != 0 || year%400 == 0) {
			return 29
		}
		return 28
	}
	return 31
}

// startsMonth tells whether seconds is the beginning, in UTC, of a month, which is this one or one beside it.
func startsMonth(seconds, year, month int64) bool {
	return seconds == daysUntil(year, month, 1)*24*60*60 ||
		seconds == (daysUntil(year, month, 1)+daysOf(year, month))*24*60*60
}

// daysUntil counts the days from 1970-01-01 to a day of the Gregorian calendar.
func daysUntil(year, month, day int64) int64 {
	years := year + 400 // of one cycle earlier, so that no division is of a negative number
	days := years*365 + (years+3)/4 - (years+99)/100 + (years+399)/400
	for m := int64(1); m < month; m++ {
		days += daysOf(year, m)
	}
	return days + day - 1 - 719528 - 146097
}
