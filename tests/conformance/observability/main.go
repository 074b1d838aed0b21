// Command observability reads alert rules and dashboards as Prometheus and Grafana do, and says what they ask for.
//
// Each argument is a file: rules end with .yml, dashboards with .json. What is wrong goes to standard error, and the
// exit status is then 1. Standard output is a JSON object with the expressions of each file, and with the metrics, the
// labels and the labels' values that each of them selects by.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/grafana/grafana-foundation-sdk/go/cog/plugins"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
	"github.com/grafana/grafana-foundation-sdk/go/prometheus"
	"github.com/prometheus/common/model"
	"github.com/prometheus/common/promslog"
	"github.com/prometheus/prometheus/model/rulefmt"
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
	if filepath.Ext(path) == ".json" {
		return readDashboard(content)
	}
	return readRules(content)
}

func readRules(content []byte) ([]use, []error) {
	groups, problems := rulefmt.Parse(content, false, model.UTF8Validation, promql, promslog.NewNopLogger())
	if len(problems) > 0 {
		return nil, problems
	}
	var uses []use
	for _, group := range groups.Groups {
		for _, rule := range group.Rules {
			found, err := selected(rule.Expr)
			if err != nil {
				return nil, []error{fmt.Errorf("%s: %w", rule.Alert, err)}
			}
			uses = append(uses, found)
		}
	}
	return uses, nil
}

func readDashboard(content []byte) ([]use, []error) {
	var read dashboard.Dashboard
	if err := read.UnmarshalJSONStrict(content); err != nil {
		return nil, []error{err}
	}
	if err := read.Validate(); err != nil {
		return nil, []error{err}
	}
	var uses []use
	var problems []error
	for _, each := range read.Panels {
		if each.Panel == nil {
			continue
		}
		for _, target := range each.Panel.Targets {
			query, isPrometheus := target.(*prometheus.Dataquery)
			if !isPrometheus {
				if value, isValue := target.(prometheus.Dataquery); isValue {
					query = &value
				} else {
					problems = append(problems, fmt.Errorf("%v: a query of another kind: %T", *each.Panel.Title, target))
					continue
				}
			}
			found, err := selected(query.Expr)
			if err != nil {
				problems = append(problems, fmt.Errorf("%v: %w", *each.Panel.Title, err))
				continue
			}
			uses = append(uses, found)
		}
	}
	return uses, problems
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
