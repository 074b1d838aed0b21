package evaluation

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// Kind is what a JSON value is.
type Kind int

// The kinds of JSON values.
const (
	Null Kind = iota
	Boolean
	Number
	String
	List
	Object
)

// String names the kind for people.
func (k Kind) String() string {
	return [...]string{"null", "a boolean", "a number", "a string", "a list", "an object"}[k]
}

// Value is a JSON value. Only the fields of its kind are set.
type Value struct {
	Kind    Kind
	Bool    bool             // of a boolean
	Text    string           // the text of a string, or a number as it was written
	Items   []Value          // of a list
	Members map[string]Value // of an object
	Raw     string           // the JSON that it was read from
}

// maxDepth keeps hostile input from using up the stack.
const maxDepth = 10000

// ParseJSON reads one JSON value (RFC 8259). Of members with the same name the last one counts. encoding/json cannot be
// used: it replaces surrogates without their other half.
func ParseJSON(text string) (Value, error) {
	if !utf8.ValidString(text) {
		return Value{}, fmt.Errorf("not valid UTF-8")
	}
	p := parser{text: text}
	value, err := p.value(0)
	if err != nil {
		return Value{}, err
	}
	p.space()
	if p.at < len(p.text) {
		return Value{}, p.fault("more after the value")
	}
	return value, nil
}

type parser struct {
	text string
	at   int
}

func (p *parser) fault(what string) error {
	return fmt.Errorf("JSON at byte %d: %s", p.at, what)
}

func (p *parser) space() {
	for p.at < len(p.text) && strings.IndexByte(" \t\r\n", p.text[p.at]) >= 0 {
		p.at++
	}
}

// peek returns the next byte, or 0 at the end.
func (p *parser) peek() byte {
	if p.at < len(p.text) {
		return p.text[p.at]
	}
	return 0
}

// take steps over the byte if it is the next one.
func (p *parser) take(b byte) bool {
	if p.at < len(p.text) && p.text[p.at] == b {
		p.at++
		return true
	}
	return false
}

func (p *parser) value(depth int) (Value, error) {
	if depth > maxDepth {
		return Value{}, p.fault("nested too deeply")
	}
	p.space()
	start := p.at
	var v Value
	var err error
	switch c := p.peek(); {
	case c == '{':
		v, err = p.object(depth)
	case c == '[':
		v, err = p.list(depth)
	case c == '"':
		v.Kind = String
		v.Text, err = p.str()
	case c == '-' || isDigit(c):
		v.Kind = Number
		v.Text, err = p.number()
	case p.word("true"):
		v = Value{Kind: Boolean, Bool: true}
	case p.word("false"):
		v = Value{Kind: Boolean}
	case p.word("null"):
	default:
		err = p.fault("no value")
	}
	v.Raw = p.text[start:p.at]
	return v, err
}

func (p *parser) word(word string) bool {
	if strings.HasPrefix(p.text[p.at:], word) {
		p.at += len(word)
		return true
	}
	return false
}

func (p *parser) object(depth int) (Value, error) {
	v := Value{Kind: Object, Members: map[string]Value{}}
	p.at++
	p.space()
	if p.take('}') {
		return v, nil
	}
	for {
		p.space()
		if p.peek() != '"' {
			return v, p.fault("no name")
		}
		name, err := p.str()
		if err != nil {
			return v, err
		}
		p.space()
		if !p.take(':') {
			return v, p.fault("no colon")
		}
		if v.Members[name], err = p.value(depth + 1); err != nil {
			return v, err
		}
		p.space()
		if p.take('}') {
			return v, nil
		}
		if !p.take(',') {
			return v, p.fault("neither comma nor brace")
		}
	}
}

func (p *parser) list(depth int) (Value, error) {
	v := Value{Kind: List}
	p.at++
	p.space()
	if p.take(']') {
		return v, nil
	}
	for {
		item, err := p.value(depth + 1)
		if err != nil {
			return v, err
		}
		v.Items = append(v.Items, item)
		p.space()
		if p.take(']') {
			return v, nil
		}
		if !p.take(',') {
			return v, p.fault("neither comma nor bracket")
		}
	}
}

func (p *parser) number() (string, error) {
	start := p.at
	p.take('-')
	if !p.take('0') && !p.digits() {
		return "", p.fault("a number without digits")
	}
	if p.take('.') && !p.digits() {
		return "", p.fault("a fraction without digits")
	}
	if p.take('e') || p.take('E') {
		if !p.take('+') {
			p.take('-')
		}
		if !p.digits() {
			return "", p.fault("an exponent without digits")
		}
	}
	return p.text[start:p.at], nil
}

func (p *parser) digits() bool {
	start := p.at
	for isDigit(p.peek()) {
		p.at++
	}
	return p.at > start
}

func (p *parser) str() (string, error) {
	p.at++
	var b strings.Builder
	for {
		start := p.at
		for p.at < len(p.text) && p.text[p.at] >= ' ' && p.text[p.at] != '"' && p.text[p.at] != '\\' {
			p.at++
		}
		b.WriteString(p.text[start:p.at])
		switch {
		case p.take('"'):
			return b.String(), nil
		case p.take('\\'):
			if err := p.escape(&b); err != nil {
				return "", err
			}
		case p.at == len(p.text):
			return "", p.fault("a string without an end")
		default:
			return "", p.fault("a control character in a string")
		}
	}
}

func (p *parser) escape(b *strings.Builder) error {
	c := p.peek()
	if i := strings.IndexByte(`"\/bfnrt`, c); i >= 0 && c != 0 {
		p.at++
		b.WriteByte("\"\\/\b\f\n\r\t"[i])
		return nil
	}
	if c != 'u' {
		return p.fault("an unknown escape")
	}
	unit, ok := p.unit()
	if !ok {
		return p.fault("not four digits after \\u")
	}
	if utf16.IsSurrogate(unit) {
		before := p.at
		if p.take('\\') && p.peek() == 'u' {
			if low, ok := p.unit(); ok {
				if r := utf16.DecodeRune(unit, low); r != utf8.RuneError {
					b.WriteRune(r)
					return nil
				}
			}
		}
		p.at = before
		b.Write([]byte{0xe0 | byte(unit>>12), 0x80 | byte(unit>>6&0x3f), 0x80 | byte(unit&0x3f)})
		return nil
	}
	b.WriteRune(unit)
	return nil
}

// unit reads u and four hexadecimal digits.
func (p *parser) unit() (rune, bool) {
	if len(p.text)-p.at < 5 {
		return 0, false
	}
	n, err := strconv.ParseUint(p.text[p.at+1:p.at+5], 16, 16)
	if err != nil {
		return 0, false
	}
	p.at += 5
	return rune(n), true
}

// Quote writes a string as JSON.
func Quote(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r < ' ' || r == 0x7f:
			fmt.Fprintf(&b, `\u%04x`, r)
		case surrogateAt(s[i:]):
			fmt.Fprintf(&b, `\u%04x`, 0xd000|int(s[i+1]&0x3f)<<6|int(s[i+2]&0x3f))
			size = 3
		default:
			b.WriteRune(r)
		}
		i += size
	}
	b.WriteByte('"')
	return b.String()
}

// surrogateAt tells whether s begins with a surrogate that has no other half.
func surrogateAt(s string) bool {
	return len(s) >= 3 && s[0] == 0xed && s[1] >= 0xa0
}

func isDigit(c byte) bool {
	return '0' <= c && c <= '9'
}
