package evaluation

import (
	"math/bits"
	"strings"
)

// buckets is how many buckets there are.
const buckets = 100000

// Hash is MurmurHash3 x86 32-bit with seed 0 of a text in UTF-8, with a question mark for each lone surrogate.
func Hash(text string) uint32 {
	data := hashed(text)
	const c1, c2 = 0xcc9e2d51, 0x1b873593
	mix := func(k uint32) uint32 { return bits.RotateLeft32(k*c1, 15) * c2 }
	var h uint32
	rest := data
	for ; len(rest) >= 4; rest = rest[4:] {
		h ^= mix(uint32(rest[0]) | uint32(rest[1])<<8 | uint32(rest[2])<<16 | uint32(rest[3])<<24)
		h = bits.RotateLeft32(h, 13)*5 + 0xe6546b64
	}
	var tail uint32
	for i := len(rest) - 1; i >= 0; i-- {
		tail = tail<<8 | uint32(rest[i])
	}
	h ^= mix(tail) // of 0 it is 0
	h ^= uint32(len(data))
	h ^= h >> 16
	h *= 0x85ebca6b
	h ^= h >> 13
	h *= 0xc2b2ae35
	return h ^ h>>16
}

// hashed is the text with a question mark for each lone surrogate.
func hashed(text string) string {
	if ValidText(text) {
		return text
	}
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		if surrogateAt(text[i:]) {
			b.WriteByte('?')
			i += 2
		} else {
			b.WriteByte(text[i])
		}
	}
	return b.String()
}

// RolloutBucket is the bucket that decides whether a key is in a rollout.
func RolloutBucket(salt, key string) uint32 {
	return Hash(salt+":"+key) % buckets
}

// SplitBucket is the bucket that decides which variant a key gets.
func SplitBucket(salt, key string) uint32 {
	return Hash(salt+":split:"+key) % buckets
}

// In tells whether a bucket is in at a rollout of which a circuit lets a percentage back in. Each product is rounded to a
// double of its own: without the conversion a processor may multiply and subtract in one step.
func In(bucket uint32, rollout, percentage float64) bool {
	limit := float64(float64(rollout*percentage) * 10)
	return float64(bucket) < limit-0.000001
}

// Share is one entry of a split.
type Share struct {
	Variant string
	Weight  int64
}

// Split says how the users are shared out among variants.
type Split []Share

// Variant is the variant of a bucket.
func (s Split) Variant(bucket uint32) string {
	var total, sum int64
	for _, share := range s {
		total += share.Weight
	}
	for _, share := range s {
		sum += share.Weight
		if int64(bucket)*total < buckets*sum {
			return share.Variant
		}
	}
	panic("evaluation: no bucket is above the last")
}

// Possible lists the variants that the split can give.
func (s Split) Possible() []string {
	var possible []string
	for _, share := range s {
		if share.Weight > 0 {
			possible = append(possible, share.Variant)
		}
	}
	return possible
}

// ReadBucket reads the number of a bucket.
func ReadBucket(v Value) (uint32, error) {
	bucket, err := readIntegerTo(buckets - 1)(v)
	return uint32(bucket), err
}
