package evaluation

import (
	"fmt"
	"math/big"
)

// Circuit is a circuit value: what a circuit breaker has decided about a flag.
type Circuit struct {
	State           string // closed, open or recovering
	Percentage      *big.Rat
	ResetGeneration *big.Int
}

// The states of a circuit.
const (
	Closed     = "closed"
	Open       = "open"
	Recovering = "recovering"
)

// ReadCircuit reads a circuit value.
func ReadCircuit(v Value) (*Circuit, error) {
	if err := expect(v, Object); err != nil {
		return nil, err
	}
	c := &Circuit{}
	var err error
	if c.State, err = required(v, "state", readString); err != nil {
		return nil, err
	}
	if c.State != Closed && c.State != Open && c.State != Recovering {
		return nil, refuse("state", "there is none called %s", Quote(c.State))
	}
	if c.Percentage, err = required(v, "percentage", ReadPercentage); err != nil {
		return nil, err
	}
	c.ResetGeneration, err = required(v, "reset_generation", readInteger)
	return c, err
}

// ReadCircuits reads the circuit values of flags.
func ReadCircuits(v Value) (map[string]*Circuit, error) {
	if err := expect(v, Object); err != nil {
		return nil, err
	}
	circuits := map[string]*Circuit{}
	for key, value := range v.Members {
		c, err := ReadCircuit(value)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", Quote(key), err)
		}
		circuits[key] = c
	}
	return circuits, nil
}

// circuit says which state and percentage apply to a flag; without a circuit the state is empty.
func (r *Ruleset) circuit(value *Circuit) (state string, percentage *big.Rat) {
	switch {
	case !r.HasCircuit:
		return "", hundred
	case r.ForcedOpen:
		return Open, hundred
	case value == nil || value.ResetGeneration.Cmp(r.ResetGeneration) < 0:
		return Closed, hundred
	case value.State == Recovering:
		return Recovering, value.Percentage
	}
	return value.State, hundred
}
