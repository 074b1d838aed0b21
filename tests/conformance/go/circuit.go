package evaluation

// Circuit is a circuit value: what a circuit breaker has decided about a flag.
type Circuit struct {
	State           string // closed, open or recovering
	Percentage      float64
	ResetGeneration int64
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
	if err := checkSchema(v, 1); err != nil {
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
	c.ResetGeneration, err = required(v, "reset_generation", readIntegerTo(maxInteger))
	return c, err
}

// circuit says which state and percentage apply to a flag; without a circuit the state is empty.
func (r *Ruleset) circuit(value *Circuit) (state string, percentage float64) {
	switch {
	case !r.HasCircuit:
		return "", 100
	case r.ForcedOpen:
		return Open, 100
	case value == nil || value.ResetGeneration < r.ResetGeneration:
		return Closed, 100
	case value.State == Recovering:
		return Recovering, value.Percentage
	}
	return value.State, 100
}
