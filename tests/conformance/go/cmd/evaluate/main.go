// Command evaluate reads JSON objects from standard input, one per line, and writes the answers as JSON objects to
// standard output, one per line. README.md of this module gives their fields.
package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"tailslide.dev/evaluation"
)

func main() {
	if err := run(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// run answers each line as soon as it arrives.
func run(in io.Reader, out io.Writer) error {
	reader := bufio.NewReader(in)
	for {
		line, err := reader.ReadString('\n')
		if line != "" {
			reply, failure := answer(strings.TrimSuffix(line, "\n"))
			if failure != nil {
				reply = object("error", evaluation.Quote(failure.Error()))
			}
			if _, err := io.WriteString(out, reply+"\n"); err != nil {
				return err
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// answer answers one line.
func answer(line string) (string, error) {
	request, err := evaluation.ParseJSON(line)
	if err != nil {
		return "", err
	}
	if request.Kind != evaluation.Object {
		return "", errors.New("a line has to be an object")
	}
	switch kind := request.Members["kind"].Text; kind {
	case "evaluation":
		return evaluate(request.Members["case"])
	case "condition":
		return condition(request)
	case "reading":
		return reading(request)
	case "bucket":
		return bucket(request)
	case "threshold":
		return threshold(request)
	case "split":
		return split(request)
	default:
		return "", fmt.Errorf("there is no kind %s", evaluation.Quote(kind))
	}
}

// evaluate answers a case of evaluation.json.
func evaluate(c evaluation.Value) (string, error) {
	flag := c.Members["flag"]
	if flag.Kind != evaluation.String {
		return "", errors.New("case: flag has to be a string")
	}
	data, refused, err := evaluation.ReadData(c)
	if err != nil {
		return "", err
	}
	question, err := evaluation.ReadQuestion(c.Members["context"])
	if err != nil {
		return "", fmt.Errorf("context: %w", err)
	}
	a := data.Evaluate(flag.Text, question)
	variant, value, version := "null", "null", "null"
	if a.Ruleset != nil {
		variant = evaluation.Quote(a.Variant)
		value = a.Value.Raw
		version = fmt.Sprint(a.Ruleset.Version)
	}
	prerequisite := "null"
	if a.PrerequisiteReason != "" {
		prerequisite = evaluation.Quote(a.Prerequisite)
	}
	answer := []string{
		"active", fmt.Sprint(a.Active),
		"variant", variant,
		"value", value,
		"reason", evaluation.Quote(string(a.Reason)),
		"circuit", orNull(a.Circuit),
		"version", version,
		"rule", orNull(a.Rule),
		"prerequisite", prerequisite,
		"prerequisite_reason", orNull(string(a.PrerequisiteReason)),
		"error", fmt.Sprint(a.Error),
	}
	if len(refused) > 0 {
		reasons := make([]string, len(refused))
		for i, err := range refused {
			reasons[i] = err.Error()
		}
		answer = append(answer, "refused", evaluation.Quote(strings.Join(reasons, "\n")))
	}
	return object(answer...), nil
}

// condition returns the result of a condition's test and whether it holds, or which of its fields is refused.
func condition(request evaluation.Value) (string, error) {
	segments := map[string]*evaluation.Segment{}
	for _, value := range request.Members["segments"].Items {
		s, err := evaluation.ReadSegment(value)
		if err != nil {
			return "", fmt.Errorf("segments: %w", err)
		}
		segments[s.Key] = s
	}
	c, err := evaluation.ReadCondition(request.Members["condition"])
	if err != nil {
		return refusal(err)
	}
	question := evaluation.Question{}
	if context, there := request.Members["context"]; there {
		if question, err = evaluation.ReadQuestion(context); err != nil {
			return "", fmt.Errorf("context: %w", err)
		}
	}
	return object(
		"says", evaluation.Quote(c.Test(question, segments).String()),
		"holds", fmt.Sprint(c.Holds(question, segments)),
	), nil
}

// reading says which field of a value is refused, or null.
func reading(request evaluation.Value) (string, error) {
	var err error
	if value, there := request.Members["ruleset"]; there {
		_, err = evaluation.ReadRuleset(value)
	} else if value, there := request.Members["segment"]; there {
		_, err = evaluation.ReadSegment(value)
	} else if value, there := request.Members["circuit"]; there {
		_, err = evaluation.ReadCircuit(value)
	} else {
		return "", errors.New("there is neither ruleset nor segment nor circuit")
	}
	if err != nil {
		return refusal(err)
	}
	return object("refused", "null"), nil
}

// refusal names the field that is at fault, if there is one.
func refusal(err error) (string, error) {
	var refused *evaluation.RefusedError
	if errors.As(err, &refused) {
		return object("refused", evaluation.Quote(refused.Field)), nil
	}
	return "", err
}

// bucket says which bucket of the rollout a key has.
func bucket(request evaluation.Value) (string, error) {
	salt, key := request.Members["salt"], request.Members["targeting_key"]
	if salt.Kind != evaluation.String || key.Kind != evaluation.String {
		return "", errors.New("salt and targeting_key have to be strings")
	}
	return object(
		"hash", fmt.Sprint(evaluation.Hash(salt.Text+":"+key.Text)),
		"bucket", fmt.Sprint(evaluation.RolloutBucket(salt.Text, key.Text)),
	), nil
}

// threshold says which buckets are in.
func threshold(request evaluation.Value) (string, error) {
	rollout, err := evaluation.ReadPercentage(request.Members["rollout"])
	if err != nil {
		return "", fmt.Errorf("rollout: %w", err)
	}
	percentage, err := evaluation.ReadPercentage(request.Members["percentage"])
	if err != nil {
		return "", fmt.Errorf("percentage: %w", err)
	}
	buckets := request.Members["buckets"]
	if buckets.Kind != evaluation.List {
		return "", errors.New("buckets has to be a list")
	}
	in := []string{}
	for _, item := range buckets.Items {
		bucket, err := evaluation.ReadBucket(item)
		if err != nil {
			return "", fmt.Errorf("buckets: %w", err)
		}
		if evaluation.In(bucket, rollout, percentage) {
			in = append(in, item.Raw)
		}
	}
	return object("in", "["+strings.Join(in, ", ")+"]"), nil
}

// split says which variant a bucket of the split has.
func split(request evaluation.Value) (string, error) {
	split, err := evaluation.ReadSplit(request.Members["split"])
	if err != nil {
		return "", fmt.Errorf("split: %w", err)
	}
	bucket, err := evaluation.ReadBucket(request.Members["bucket"])
	if err != nil {
		return "", fmt.Errorf("bucket: %w", err)
	}
	return object("variant", evaluation.Quote(split.Variant(bucket))), nil
}

// object writes an object of names and values, of which the values are JSON already.
func object(pairs ...string) string {
	var members []string
	for i := 0; i < len(pairs); i += 2 {
		members = append(members, evaluation.Quote(pairs[i])+": "+pairs[i+1])
	}
	return "{" + strings.Join(members, ", ") + "}"
}

// orNull writes a string, or null for an empty one.
func orNull(s string) string {
	if s == "" {
		return "null"
	}
	return evaluation.Quote(s)
}
