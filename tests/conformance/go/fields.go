package evaluation

import (
	"errors"
	"fmt"
	"math/big"
	"strconv"
)

// RefusedError says which field of a value is at fault.
type RefusedError struct {
	Field string
	Why   string
}

// Error tells people what is wrong.
func (e *RefusedError) Error() string {
	return e.Field + ": " + e.Why
}

func refuse(field, why string, args ...any) error {
	return &RefusedError{Field: field, Why: fmt.Sprintf(why, args...)}
}

// required reads a field that has to be there.
func required[T any](object Value, name string, read func(Value) (T, error)) (T, error) {
	if _, there := object.Members[name]; !there {
		var none T
		return none, refuse(name, "is missing")
	}
	var none T
	return optional(object, name, none, read)
}

// optional reads a field that may be missing. A null is no missing field: read has to take it, or it is refused.
func optional[T any](object Value, name string, missing T, read func(Value) (T, error)) (T, error) {
	value, there := object.Members[name]
	if !there {
		return missing, nil
	}
	result, err := read(value)
	if err != nil {
		return missing, refuse(name, "%s", err)
	}
	return result, nil
}

func expect(v Value, kind Kind) error {
	if v.Kind != kind {
		return fmt.Errorf("is %s, not %s", v.Kind, kind)
	}
	return nil
}

func readString(v Value) (string, error) {
	return v.Text, expect(v, String)
}

func readBool(v Value) (bool, error) {
	return v.Bool, expect(v, Boolean)
}

func readObject(v Value) (Value, error) {
	return v, expect(v, Object)
}

// readList returns a reader of lists whose items are read by item.
func readList[T any](item func(Value) (T, error)) func(Value) ([]T, error) {
	return func(v Value) ([]T, error) {
		if err := expect(v, List); err != nil {
			return nil, err
		}
		result := make([]T, 0, len(v.Items))
		for i, value := range v.Items {
			read, err := item(value)
			if err != nil {
				return nil, fmt.Errorf("item %d: %w", i+1, err)
			}
			result = append(result, read)
		}
		return result, nil
	}
}

// orNull returns a reader that takes null for missing.
func orNull[T any](read func(Value) (T, error)) func(Value) (T, error) {
	return func(v Value) (T, error) {
		if v.Kind == Null {
			var none T
			return none, nil
		}
		return read(v)
	}
}

func readInteger(v Value) (*big.Int, error) {
	if err := expect(v, Number); err != nil {
		return nil, err
	}
	n, ok := parseNumber(v.Text)
	if !ok || !n.IsInt() {
		return nil, errors.New("is no integer of 64 bits")
	}
	return n.Num(), nil
}

// readDecimal reads a number as the decimal number that people write for this double.
func readDecimal(v Value) (*big.Rat, error) {
	if err := expect(v, Number); err != nil {
		return nil, err
	}
	double, err := strconv.ParseFloat(v.Text, 64)
	if err != nil {
		return nil, errors.New("is too large a number")
	}
	decimal, _ := new(big.Rat).SetString(strconv.FormatFloat(double, 'f', -1, 64))
	return decimal, nil
}

// ReadPercentage reads a number from 0 to 100.
func ReadPercentage(v Value) (*big.Rat, error) {
	decimal, err := readDecimal(v)
	if err == nil && (decimal.Sign() < 0 || decimal.Cmp(hundred) > 0) {
		err = errors.New("is not from 0 to 100")
	}
	return decimal, err
}

var hundred = big.NewRat(100, 1)
