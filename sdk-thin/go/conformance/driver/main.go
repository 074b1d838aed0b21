// Command driver uses the client as the scenarios in tests/conformance/clients say; see the README there.
package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	tailslide "github.com/tailslide/tailslide/sdk-thin/go"
)

type command struct {
	Do            string
	URL           *string
	Token         *string
	ProxyURL      *string  `json:"proxy_url"`
	TimeoutMS     *float64 `json:"timeout_ms"`
	FlushInterval *float64 `json:"flush_interval_ms"`
	MaxOutcomes   *int     `json:"max_outcomes"`
	Flag          string
	TargetingKey  string `json:"targeting_key"`
	Attributes    tailslide.Attributes
	Default       any
	LatencyMS     float64 `json:"latency_ms"`
	Times         *int
	Block         string
	Failure       string
	Path          string
	Seconds       float64
	CallsPerS     float64 `json:"calls_per_s"`
	Workers       int
	Calls         int
}

type answer map[string]any

func main() {
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 64<<20)
	var d driver
	for lines.Scan() {
		if len(bytes.TrimSpace(lines.Bytes())) == 0 {
			continue
		}
		line, err := json.Marshal(d.do(lines.Bytes()))
		if err != nil {
			line, _ = json.Marshal(answer{"raised": err.Error()})
		}
		fmt.Println(string(line))
	}
	if d.client != nil {
		d.client.Close()
	}
}

type driver struct {
	client *tailslide.Client
	url    string
	token  string
}

func (d *driver) do(line []byte) (result answer) {
	defer func() {
		if thrown := recover(); thrown != nil {
			result = answer{"raised": fmt.Sprint(thrown)}
		}
	}()
	var c command
	decoder := json.NewDecoder(bytes.NewReader(line))
	decoder.UseNumber()
	if err := decoder.Decode(&c); err != nil {
		panic(err)
	}
	ctx := context.Background()
	def := plain(c.Default)
	switch c.Do {
	case "open":
		return d.open(c)
	case "is_active":
		otherwise, _ := def.(bool)
		return timed(func() any { return d.client.IsActive(ctx, c.Flag, c.TargetingKey, c.Attributes, otherwise) })
	case "variant":
		otherwise, isText := def.(string)
		return timed(func() any {
			variant := d.client.Variant(ctx, c.Flag, c.TargetingKey, c.Attributes, otherwise)
			if variant == "" && !isText {
				return nil
			}
			return variant
		})
	case "value":
		return timed(func() any { return d.value(ctx, c, def) })
	case "evaluate":
		return timed(func() any {
			e := d.client.Evaluate(ctx, c.Flag, c.TargetingKey, c.Attributes, def)
			return answer{
				"flag": e.Flag, "value": e.Value, "variant": e.Variant, "active": e.Active, "reason": e.Reason,
				"metadata": e.Metadata, "error": e.Error, "error_details": e.ErrorDetails,
			}
		})
	case "success", "failure":
		report := d.client.Success
		if c.Do == "failure" {
			report = d.client.Failure
		}
		times := 1
		if c.Times != nil {
			times = *c.Times
		}
		return without(timed(func() any {
			for done := 0; done < times; done++ {
				report(c.Flag, milliseconds(c.LatencyMS))
			}
			return nil
		}))
	case "guard":
		return timed(func() any { return d.guard(c) })
	case "flush":
		if c.TimeoutMS != nil {
			within, cancel := context.WithTimeout(ctx, milliseconds(*c.TimeoutMS))
			defer cancel()
			ctx = within
		}
		return timed(func() any { return d.client.Flush(ctx) })
	case "stats":
		s := d.client.Stats()
		return answer{"result": answer{
			"questions": s.Questions, "defaults": s.Defaults, "outcomes_sent": s.OutcomesSent,
			"outcomes_dropped": s.OutcomesDropped, "outcomes_refused": s.OutcomesRefused, "outcomes_waiting": s.OutcomesWaiting,
		}}
	case "proxy_url":
		return answer{"result": d.client.ProxyURL(c.Path)}
	case "proxied":
		return answer{"result": d.proxied(*c.URL)}
	case "close":
		return without(timed(func() any { d.client.Close(); return nil }))
	case "load":
		return d.load(c)
	case "crowd":
		return d.crowd(c)
	case "overhead":
		return d.overhead(c)
	}
	return answer{"unsupported": true}
}

func (d *driver) open(c command) answer {
	if d.client != nil {
		d.client.Close()
		d.client = nil
	}
	var options []tailslide.Option
	d.url, d.token = "http://127.0.0.1:4141", ""
	if c.URL != nil {
		d.url = *c.URL
		options = append(options, tailslide.WithURL(*c.URL))
	}
	if c.Token != nil {
		d.token = *c.Token
		options = append(options, tailslide.WithToken(*c.Token))
	}
	if c.ProxyURL != nil {
		options = append(options, tailslide.WithProxyURL(*c.ProxyURL))
	}
	if c.TimeoutMS != nil {
		options = append(options, tailslide.WithTimeout(milliseconds(*c.TimeoutMS)))
	}
	if c.FlushInterval != nil {
		options = append(options, tailslide.WithFlushInterval(milliseconds(*c.FlushInterval)))
	}
	if c.MaxOutcomes != nil {
		options = append(options, tailslide.WithMaxOutcomes(*c.MaxOutcomes))
	}
	client, err := tailslide.New(options...)
	if err != nil {
		return answer{"raised": err.Error()}
	}
	d.client = client
	return answer{}
}

func (d *driver) value(ctx context.Context, c command, def any) any {
	switch otherwise := def.(type) {
	case bool:
		return d.client.BoolValue(ctx, c.Flag, c.TargetingKey, c.Attributes, otherwise)
	case string:
		return d.client.StringValue(ctx, c.Flag, c.TargetingKey, c.Attributes, otherwise)
	case int64:
		return d.client.IntValue(ctx, c.Flag, c.TargetingKey, c.Attributes, otherwise)
	case float64:
		return d.client.FloatValue(ctx, c.Flag, c.TargetingKey, c.Attributes, otherwise)
	case map[string]any:
		return d.client.ObjectValue(ctx, c.Flag, c.TargetingKey, c.Attributes, otherwise)
	}
	return d.client.Evaluate(ctx, c.Flag, c.TargetingKey, c.Attributes, def).Value
}

func (d *driver) guard(c command) string {
	block := func() (int, error) {
		switch c.Block {
		case "raises":
			return 0, errors.New("the block's own")
		case "sleeps":
			time.Sleep(20 * time.Millisecond)
		}
		return 1, nil
	}
	var failed func(int, error) bool
	switch c.Failure {
	case "result":
		failed = func(int, error) bool { return true }
	case "no_exception":
		failed = func(int, error) bool { return false }
	case "raises":
		failed = func(int, error) bool { panic("the predicate's own") }
	}
	if _, err := tailslide.Guard(d.client, c.Flag, block, failed); err != nil {
		return "raised"
	}
	return "returned"
}

func (d *driver) proxied(url string) answer {
	response, err := d.client.HTTPClient().Get(url)
	if err != nil {
		return answer{"error": err.Error()}
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return answer{"error": err.Error()}
	}
	return answer{"status": response.StatusCode, "body": string(body)}
}

// tally is what workers that ask have seen.
type tally struct {
	sync.Mutex
	calls, mixed, defaults, raised int
	ms                             []float64
	answeredAt, defaultsAt         []int64
}

func (t *tally) ask(client *tailslide.Client, flag, key string) {
	began := time.Now()
	var e tailslide.Evaluation
	raised := func() (raised bool) {
		defer func() { raised = recover() != nil }()
		e = client.Evaluate(context.Background(), flag, key, nil, nil)
		return false
	}()
	took := since(began)
	t.Lock()
	defer t.Unlock()
	t.calls++
	t.ms = append(t.ms, took)
	switch {
	case raised:
		t.raised++
	case e.Error != "":
		t.defaults++
		t.defaultsAt = append(t.defaultsAt, time.Now().UnixMilli())
	default:
		t.answeredAt = append(t.answeredAt, time.Now().UnixMilli())
		if e.Value != key {
			t.mixed++
		}
	}
}

func (d *driver) load(c command) answer {
	t := tally{ms: []float64{}, answeredAt: []int64{}, defaultsAt: []int64{}}
	var workers sync.WaitGroup
	end := time.Now().Add(time.Duration(c.Seconds * float64(time.Second)))
	interval := time.Duration(float64(time.Second) * float64(c.Workers) / c.CallsPerS)
	for worker := 0; worker < c.Workers; worker++ {
		worker := worker
		workers.Add(1)
		go func() {
			defer workers.Done()
			next := time.Now().Add(interval * time.Duration(worker) / time.Duration(c.Workers))
			for call := 0; next.Before(end); call++ {
				time.Sleep(time.Until(next))
				t.ask(d.client, c.Flag, fmt.Sprintf("user-%d-%d", worker, call))
				next = next.Add(interval)
				if now := time.Now(); next.Before(now) {
					next = now
				}
			}
		}()
	}
	workers.Wait()
	slices.Sort(t.ms)
	return answer{"calls": t.calls, "raised": t.raised, "ms": t.ms, "answered_at": t.answeredAt, "defaults_at": t.defaultsAt}
}

func (d *driver) crowd(c command) answer {
	t := tally{ms: []float64{}}
	before := runtime.NumGoroutine()
	var workers sync.WaitGroup
	gun := make(chan struct{})
	for worker := 0; worker < c.Workers; worker++ {
		worker := worker
		workers.Add(1)
		go func() {
			defer workers.Done()
			<-gun
			for call := 0; call < c.Calls; call++ {
				t.ask(d.client, c.Flag, fmt.Sprintf("user-%d-%d", worker, call))
			}
		}()
	}
	close(gun)
	workers.Wait()
	time.Sleep(300 * time.Millisecond)
	slices.Sort(t.ms)
	return answer{
		"calls": t.calls, "raised": t.raised, "mixed": t.mixed, "defaults": t.defaults,
		"threads_left": max(runtime.NumGoroutine()-before, 0), "ms": t.ms,
	}
}

func (d *driver) overhead(c command) answer {
	bare, ask, report := make([]float64, c.Calls), make([]float64, c.Calls), make([]float64, c.Calls)
	client := &http.Client{}
	for call := 0; call < c.Calls; call++ {
		began := time.Now()
		d.bare(client, c.Flag)
		bare[call] = since(began) * 1000
		began = time.Now()
		d.client.IsActive(context.Background(), c.Flag, "user-42", nil, false)
		ask[call] = since(began) * 1000
		began = time.Now()
		d.client.Success(c.Flag, 0)
		report[call] = since(began) * 1000
	}
	return answer{"bare_us": bare, "ask_us": ask, "outcome_us": report}
}

func (d *driver) bare(client *http.Client, flag string) {
	body := strings.NewReader(`{"context":{"targetingKey":"user-42"}}`)
	request, err := http.NewRequest(http.MethodPost, d.url+"/ofrep/v1/evaluate/flags/"+flag, body)
	if err != nil {
		panic(err)
	}
	request.Header.Set("Content-Type", "application/json")
	if d.token != "" {
		request.Header.Set("Authorization", "Bearer "+d.token)
	}
	response, err := client.Do(request)
	if err != nil {
		panic(err)
	}
	defer response.Body.Close()
	var into any
	if err := json.NewDecoder(response.Body).Decode(&into); err != nil {
		panic(err)
	}
	_, _ = io.Copy(io.Discard, response.Body)
}

// plain returns a default with Go's own numbers.
func plain(value any) any {
	switch v := value.(type) {
	case json.Number:
		if whole, err := v.Int64(); err == nil {
			return whole
		}
		fraction, _ := v.Float64()
		return fraction
	case map[string]any:
		for name := range v {
			v[name] = plain(v[name])
		}
	case []any:
		for index := range v {
			v[index] = plain(v[index])
		}
	}
	return value
}

func timed(call func() any) answer {
	began := time.Now()
	result := call()
	return answer{"result": result, "ms": since(began)}
}

func without(a answer) answer {
	delete(a, "result")
	return a
}

func since(began time.Time) float64 { return float64(time.Since(began)) / float64(time.Millisecond) }

func milliseconds(ms float64) time.Duration { return time.Duration(ms * float64(time.Millisecond)) }
