// Command observability reads dashboards as Grafana does, and their expressions as Prometheus does, and says what they
// ask for. Alert rules are promtool's to check.
//
// Each argument is a dashboard. What is wrong goes to standard error, and the exit status is then 1. Standard output is
// a JSON object with the expressions of each file, and with the metrics, the labels and the labels' values that each of
// them selects by.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/cog/plugins"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
	"github.com/grafana/grafana-foundation-sdk/go/prometheus"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/promql/parser"
)

// A use is one expression, and what it selects.
type use struct {
	Expression string   `json:"expression"`
	Metrics    []metric `json:"metrics"`
}

// A metric is a selector: the labels that it asks for, and for those that are compared with = their values.
type metric struct {
	Name   string            `json:"name"`
	Labels map[string]string `json:"labels"`
}

var promql = parser.NewParser(parser.Options{})

// Variables of Grafana stand where PromQL wants a duration or a text.
var variables = strings.NewReplacer("$__rate_interval", "5m", "$__range", "1h", "$__interval", "1m")

func main() {
	plugins.RegisterDefaultPlugins()
	uses := map[string][]use{}
	failed := false
	for _, path := range os.Args[1:] {
		found, problems := read(path)
		uses[filepath.Base(path)] = found
		for _, problem := range problems {
			failed = true
			fmt.Fprintf(os.Stderr, "%s: %v\n", filepath.Base(path), problem)
		}
	}
	if err := json.NewEncoder(os.Stdout).Encode(uses); err != nil || failed {
		os.Exit(1)
	}
}

func read(path string) ([]use, []error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, []error{err}
	}
	return readDashboard(content)
}

func readDashboard(content []byte) ([]use, []error) {
	var read dashboard.Dashboard
	if err := wrong(read.UnmarshalJSONStrict(content)); err != nil {
		return nil, []error{err}
	}
	if err := wrong(read.Validate()); err != nil {
		return nil, []error{err}
	}
	// The library drops the panels and the queries that nothing is wrong with, so they are read again one by one.
	var raw struct {
		Panels []rawPanel `json:"panels"`
	}
	if err := json.Unmarshal(content, &raw); err != nil {
		return nil, []error{err}
	}
	var uses []use
	var problems []error
	for _, each := range raw.Panels {
		if each.Type == "row" {
			continue
		}
		found, err := readQueries(each)
		if err != nil {
			problems = append(problems, fmt.Errorf("%s: %w", each.Title, err))
		}
		uses = append(uses, found...)
	}
	return uses, problems
}

type rawPanel struct {
	Type    string            `json:"type"`
	Title   string            `json:"title"`
	Targets []json.RawMessage `json:"targets"`
}

func readQueries(panel rawPanel) ([]use, error) {
	if panel.Title == "" || len(panel.Targets) == 0 {
		return nil, errors.New("expected a title and queries")
	}
	var uses []use
	for _, target := range panel.Targets {
		var query prometheus.Dataquery
		if err := wrong(query.UnmarshalJSONStrict(target)); err != nil {
			return nil, err
		}
		if err := wrong(query.Validate()); err != nil {
			return nil, err
		}
		found, err := selected(query.Expr)
		if err != nil {
			return nil, err
		}
		uses = append(uses, found)
	}
	return uses, nil
}

// Where nothing is wrong, the library returns an empty list of errors, which is no nil.
func wrong(err error) error {
	var listed cog.BuildErrors
	if errors.As(err, &listed) && len(listed) == 0 {
		return nil
	}
	return err
}

func selected(expression string) (use, error) {
	found := use{Expression: expression, Metrics: []metric{}}
	parsed, err := promql.ParseExpr(variables.Replace(expression))
	if err != nil {
		return found, err
	}
	parser.Inspect(parsed, func(node parser.Node, _ []parser.Node) error {
		selector, is := node.(*parser.VectorSelector)
		if !is {
			return nil
		}
		each := metric{Name: selector.Name, Labels: map[string]string{}}
		for _, matcher := range selector.LabelMatchers {
			if matcher.Name == model.MetricNameLabel {
				continue
			}
			value := ""
			if matcher.Type.String() == "=" {
				value = matcher.Value
			}
			each.Labels[matcher.Name] = value
		}
		found.Metrics = append(found.Metrics, each)
		return nil
	})
	return found, nil
}
