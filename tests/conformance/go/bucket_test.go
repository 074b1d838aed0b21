package evaluation

import (
	"encoding/json"
	"os"
	"testing"
)

func TestGoldenBuckets(t *testing.T) {
	text, err := os.ReadFile("../bucketing.json")
	if err != nil {
		t.Fatal(err)
	}
	var golden struct {
		Users []struct {
			Name         string
			Salt         string
			TargetingKey string `json:"targeting_key"`
			Hash, Bucket uint32
		}
		Thresholds []struct {
			Name                string
			Rollout, Percentage json.Number
			In, Out             []uint32
		}
		Splits []struct {
			Name     string
			Split    json.RawMessage
			Variants map[string][]uint32
		}
	}
	if err := json.Unmarshal(text, &golden); err != nil {
		t.Fatal(err)
	}
	for _, user := range golden.Users {
		if got := Hash(user.Salt + ":" + user.TargetingKey); got != user.Hash {
			t.Errorf("%s: hash is %d, not %d", user.Name, got, user.Hash)
		}
		if got := RolloutBucket(user.Salt, user.TargetingKey); got != user.Bucket {
			t.Errorf("%s: bucket is %d, not %d", user.Name, got, user.Bucket)
		}
	}
	for _, threshold := range golden.Thresholds {
		rollout, err := ReadPercentage(parse(t, threshold.Rollout.String()))
		if err != nil {
			t.Fatal(err)
		}
		percentage, err := ReadPercentage(parse(t, threshold.Percentage.String()))
		if err != nil {
			t.Fatal(err)
		}
		for _, bucket := range threshold.In {
			if !In(bucket, rollout, percentage) {
				t.Errorf("%s: %d is out", threshold.Name, bucket)
			}
		}
		for _, bucket := range threshold.Out {
			if In(bucket, rollout, percentage) {
				t.Errorf("%s: %d is in", threshold.Name, bucket)
			}
		}
	}
	for _, c := range golden.Splits {
		split, err := ReadSplit(parse(t, string(c.Split)))
		if err != nil {
			t.Fatal(err)
		}
		for variant, buckets := range c.Variants {
			for _, bucket := range buckets {
				if got := split.Variant(bucket); got != variant {
					t.Errorf("%s: %d has %s, not %s", c.Name, bucket, got, variant)
				}
			}
		}
	}
}

func TestLoneSurrogatesAreHashedAsQuestionMarks(t *testing.T) {
	lone := parse(t, `"a\ud83eb\udd8a"`).Text
	if Hash(lone) != Hash("a?b?") {
		t.Error("lone surrogates are hashed otherwise")
	}
	if pair := parse(t, `"\ud83e\udd8a"`).Text; pair != "🦊" {
		t.Errorf("a pair became %q", pair)
	}
}

func TestRolloutIsReckonedWithDoubles(t *testing.T) {
	for _, c := range []struct {
		bucket              uint32
		rollout, percentage float64
		in                  bool
	}{
		{0, 1e-10, 100, false},
		{50000, 50.0000000005, 100, false},
		{6, 0.007, 100, true},
		{7, 0.007, 100, false}, // though the product of these doubles is a little above 7
		{99999, 100, 100, true},
		{0, 50, 0, false},
	} {
		if got := In(c.bucket, c.rollout, c.percentage); got != c.in {
			t.Errorf("%d at %v and %v: %v", c.bucket, c.rollout, c.percentage, got)
		}
	}
}

func TestSplit(t *testing.T) {
	split := Split{{"a", 0}, {"b", 1}, {"c", 2}}
	for bucket, want := range map[uint32]string{0: "b", 33333: "b", 33334: "c", 99999: "c"} {
		if got := split.Variant(bucket); got != want {
			t.Errorf("%d has %s, not %s", bucket, got, want)
		}
	}
}
