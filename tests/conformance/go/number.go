package evaluation

import (
	"math/big"
	"regexp"
	"strconv"
	"strings"
)

// The numbers that can be compared are from -2^63 to below 2^64.
var (
	lowest  = new(big.Rat).SetInt(new(big.Int).Neg(new(big.Int).Lsh(big.NewInt(1), 63)))
	tooHigh = new(big.Rat).SetInt(new(big.Int).Lsh(big.NewInt(1), 64))
)

var saysNumber = regexp.MustCompile(`^[+-]?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?$`)

// parseNumber returns the number that a text says, or that JSON has. It says none, or one that is nil because it cannot be
// compared, or one that is exact without fraction and exponent, and else the double nearest to it.
func parseNumber(text string) (number *big.Rat, says bool) {
	parts := saysNumber.FindStringSubmatch(text)
	if parts == nil {
		return nil, false
	}
	number = new(big.Rat)
	if parts[1] == "" && parts[2] == "" {
		digits := strings.TrimLeft(strings.TrimLeft(text, "+-"), "0")
		if len(digits) > 20 {
			return nil, true // without taking long for very many digits
		}
		number.SetString("0" + digits)
		if text[0] == '-' {
			number.Neg(number)
		}
	} else {
		double, err := strconv.ParseFloat(text, 64)
		if err != nil {
			return nil, true
		}
		number.SetFloat64(double)
		if number.Cmp(lowest) == 0 { // which may have been an integer below it
			return nil, true
		}
	}
	if number.Cmp(lowest) < 0 || number.Cmp(tooHigh) >= 0 {
		return nil, true
	}
	return number, true
}

// numberText is the text of a number that parseNumber has returned.
func numberText(number *big.Rat) string {
	if number.IsInt() {
		return number.Num().String()
	}
	double, _ := number.Float64()
	return strconv.FormatFloat(double, 'f', -1, 64)
}
