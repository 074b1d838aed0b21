package evaluation

import (
	"errors"
	"fmt"
	"math/big"
	"regexp"
	"strconv"
	"strings"
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

// optional reads a field that may be missing. A null is no missing field, unless withoutNulls has taken it out.
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

func readName(v Value) (string, error) {
	if err := expect(v, String); err != nil {
		return "", err
	}
	if v.Text == "" {
		return "", errors.New("is empty")
	}
	return v.Text, nil
}

func readBool(v Value) (bool, error) {
	return v.Bool, expect(v, Boolean)
}

func asItIs(v Value) (Value, error) {
	return v, nil
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

// withoutNulls is an object without those of the named members that are null: they count as missing.
func withoutNulls(object Value, names ...string) Value {
	members := make(map[string]Value, len(object.Members))
	for name, value := range object.Members {
		members[name] = value
	}
	for _, name := range names {
		if value, there := members[name]; there && value.Kind == Null {
			delete(members, name)
		}
	}
	object.Members = members
	return object
}

// isInteger tells whether a number is written without fraction and exponent.
func (v Value) isInteger() bool {
	return v.Kind == Number && !strings.ContainsAny(v.Text, ".eE")
}

func readInteger(v Value) (*big.Int, error) {
	if err := expect(v, Number); err != nil {
		return nil, err
	}
	n, _ := parseNumber(v.Text)
	if n == nil || !v.isInteger() {
		return nil, errors.New("is no integer of 64 bits")
	}
	return n.Num(), nil
}

// readIntegerTo reads an integer from 0 to a limit.
func readIntegerTo(limit int64) func(Value) (int64, error) {
	return func(v Value) (int64, error) {
		n, err := readInteger(v)
		if err == nil && (n.Sign() < 0 || n.Cmp(big.NewInt(limit)) > 0) {
			err = fmt.Errorf("is not from 0 to %d", limit)
		}
		if err != nil {
			return 0, err
		}
		return n.Int64(), nil
	}
}

// checkSchema refuses values of a schema that is none of these.
func checkSchema(v Value, known ...int64) error {
	schema, err := required(v, "schema", readIntegerTo(maxInteger))
	if err != nil {
		return err
	}
	for _, one := range known {
		if one == schema {
			return nil
		}
	}
	return refuse("schema", "%d is not known", schema)
}

// ReadPercentage reads a number from 0 to 100.
func ReadPercentage(v Value) (float64, error) {
	if err := expect(v, Number); err != nil {
		return 0, err
	}
	percentage, err := strconv.ParseFloat(v.Text, 64)
	if err != nil || percentage < 0 || percentage > 100 {
		return 0, errors.New("is not from 0 to 100")
	}
	return percentage, nil
}

var keyPattern = regexp.MustCompile(`^[0-9A-Za-z-][0-9A-Za-z._-]{0,99}$`)

// readKey reads the key of a flag, a segment or a variant, or the name of a rule.
func readKey(v Value) (string, error) {
	if err := expect(v, String); err != nil {
		return "", err
	}
	if !keyPattern.MatchString(v.Text) || strings.HasSuffix(v.Text, ".") || strings.Contains(v.Text, "..") {
		return "", fmt.Errorf("%s is no key", Quote(v.Text))
	}
	return v.Text, nil
}
