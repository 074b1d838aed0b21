// Package tailslide is the thin client of Tailslide: it asks the sidecar about flags and reports how calls ended.
//
// A question has an answer within its deadline (50 ms by default), whatever the sidecar does: if none came, the answer is
// the default. Outcomes are sent in the background. A Client may be used by any number of goroutines at the same time.
package tailslide

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"math"
	"net"
	"net/http"
	"net/url"
	"os"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	maxAnswerBytes      = 1 << 20 // its header included
	maxKeptConnections  = 16
	maxBatch            = 1000
	troublesBeforePause = 5
	pauseInterval       = 250 * time.Millisecond
	longestLatency      = 24 * time.Hour
	outcomeLifetime     = 10 * time.Second
	sendTimeout         = time.Second
	logInterval         = time.Minute
)

// ErrorCode says why a question got its default.
type ErrorCode string

const (
	Refused             ErrorCode = "REFUSED"               // no connection: refused, no such socket, no route, unknown host
	Timeout             ErrorCode = "TIMEOUT"               // no whole answer within the deadline
	Broken              ErrorCode = "BROKEN"                // the connection ended before a whole answer had come
	InvalidResponse     ErrorCode = "INVALID_RESPONSE"      // not HTTP, not JSON, not OFREP, or more than 1 MiB
	Paused              ErrorCode = "PAUSED"                // not asked, because the sidecar has just failed several times
	TypeMismatch        ErrorCode = "TYPE_MISMATCH"         // the value is of another type than the default
	InvalidContext      ErrorCode = "INVALID_CONTEXT"       // the attributes cannot be written as JSON, or the sidecar says so
	FlagNotFound        ErrorCode = "FLAG_NOT_FOUND"        // the app has no such flag
	TargetingKeyMissing ErrorCode = "TARGETING_KEY_MISSING" // the flag needs a targeting key
	ParseError          ErrorCode = "PARSE_ERROR"           // the sidecar could not read the question
	General             ErrorCode = "GENERAL"               // another HTTP status, which the details name
	Closed              ErrorCode = "CLOSED"                // the client has been closed
)

// Attributes describe the user. Their values are whatever encoding/json can write.
type Attributes map[string]any

// Evaluation is all that is known about a flag for one user. Error and ErrorDetails are empty unless Value is the default.
type Evaluation struct {
	Flag         string
	Value        any
	Variant      string
	Active       bool
	Reason       string
	Metadata     map[string]any
	Error        ErrorCode
	ErrorDetails string
}

// Stats are counts since the client was made, except for OutcomesWaiting.
type Stats struct {
	Questions       int64
	Defaults        map[ErrorCode]int64
	OutcomesSent    int64
	OutcomesDropped int64
	OutcomesRefused int64
	OutcomesWaiting int
}

// Client asks one sidecar. Make one with New for the whole program.
type Client struct {
	url           string
	token         string
	proxyURL      string
	timeout       time.Duration
	flushInterval time.Duration
	maxOutcomes   int
	logger        *slog.Logger

	network, address, host string // of the sidecar: the dialer's two, and the Host header
	proxied                *http.Client

	sending   chan struct{}        // holds an item while somebody sends outcomes
	notBefore map[string]time.Time // by flag, what Retry-After said; for the holder of sending

	mu        sync.Mutex // guards all below
	closed    bool       // no question is asked and no outcome taken any more
	ended     bool       // no outcome is sent any more either
	kept      pool       // of questions
	reporting pool       // of outcomes, whose connections the sidecar does not answer questions on as fast
	troubles  int        // questions in a row that had no answer
	askAgain  time.Time
	waiting   []outcome
	inFlight  int
	timer     *time.Timer // of the flush that is planned or under way
	stats     Stats
	questions warnings
	outcomes  warnings
}

// trouble is why a request had no usable answer.
type trouble struct {
	code    ErrorCode
	details string
}

// Option is a setting of New.
type Option func(*Client)

// WithURL sets the sidecar's flags listener, http://HOST:PORT or unix:/path. Without it TAILSLIDE_FLAGS_URL counts, then
// http://127.0.0.1:4141.
func WithURL(url string) Option { return func(c *Client) { c.url = url } }

// WithToken sets the sidecar's flags_token. Without it TAILSLIDE_FLAGS_TOKEN counts.
func WithToken(token string) Option { return func(c *Client) { c.token = token } }

// WithProxyURL sets the sidecar's proxy. Without it TAILSLIDE_PROXY_URL counts, then http://127.0.0.1:4140.
func WithProxyURL(url string) Option { return func(c *Client) { c.proxyURL = url } }

// WithTimeout sets what one question may take, connecting included (50 ms).
func WithTimeout(timeout time.Duration) Option { return func(c *Client) { c.timeout = timeout } }

// WithFlushInterval sets how long outcomes wait to be sent together (200 ms).
func WithFlushInterval(interval time.Duration) Option {
	return func(c *Client) { c.flushInterval = interval }
}

// WithMaxOutcomes sets how many outcomes may wait (10,000).
func WithMaxOutcomes(count int) Option { return func(c *Client) { c.maxOutcomes = count } }

// WithLogger sets where warnings go. Without it they go to slog.Default().
func WithLogger(logger *slog.Logger) Option { return func(c *Client) { c.logger = logger } }

// New makes a client. The error names a setting that cannot be right; whether there is a sidecar is not looked at.
func New(options ...Option) (*Client, error) {
	c := &Client{
		url:           or(os.Getenv("TAILSLIDE_FLAGS_URL"), "http://127.0.0.1:4141"),
		token:         os.Getenv("TAILSLIDE_FLAGS_TOKEN"),
		proxyURL:      or(os.Getenv("TAILSLIDE_PROXY_URL"), "http://127.0.0.1:4140"),
		timeout:       50 * time.Millisecond,
		flushInterval: 200 * time.Millisecond,
		maxOutcomes:   10_000,
		sending:       make(chan struct{}, 1),
		notBefore:     map[string]time.Time{},
		stats:         Stats{Defaults: map[ErrorCode]int64{}},
		questions:     warnings{text: "questions got their defaults"},
		outcomes:      warnings{text: "outcomes could not be sent"},
	}
	for _, option := range options {
		option(c)
	}
	switch {
	case c.timeout <= 0 || c.flushInterval <= 0 || c.maxOutcomes <= 0:
		return nil, fmt.Errorf("tailslide: expected a positive timeout, flush interval and number of outcomes, got %v, %v and %d",
			c.timeout, c.flushInterval, c.maxOutcomes)
	case strings.ContainsFunc(c.token, func(r rune) bool { return r <= ' ' || r > '~' }):
		return nil, errors.New("tailslide: token: expected printable ASCII without spaces")
	}
	if path, isSocket := strings.CutPrefix(c.url, "unix:"); isSocket && path != "" {
		c.network, c.address, c.host = "unix", path, "localhost"
	} else if sidecar, err := parse("url", c.url); err != nil {
		return nil, err
	} else {
		c.network, c.address, c.host = "tcp", net.JoinHostPort(sidecar.Hostname(), or(sidecar.Port(), "80")), sidecar.Host
	}
	proxy, err := parse("proxy url", c.proxyURL)
	if err != nil {
		return nil, err
	}
	c.proxyURL = "http://" + proxy.Host
	c.proxied = &http.Client{Transport: &http.Transport{Proxy: http.ProxyURL(proxy), MaxIdleConnsPerHost: maxKeptConnections}}
	return c, nil
}

func or(text, otherwise string) string {
	if text == "" {
		return otherwise
	}
	return text
}

// parse reads a URL of the form http://HOST:PORT.
func parse(setting, text string) (*url.URL, error) {
	parsed, err := url.Parse(text)
	if err == nil && parsed.Scheme == "http" && parsed.Hostname() != "" && strings.Trim(parsed.Path, "/") == "" &&
		parsed.User == nil && parsed.RawQuery == "" && parsed.Fragment == "" {
		if port, err := strconv.ParseUint(or(parsed.Port(), "80"), 10, 16); err == nil && port > 0 {
			return parsed, nil
		}
	}
	return nil, fmt.Errorf("tailslide: %s: expected http://HOST:PORT, got %q", setting, text)
}

// Questions

// IsActive says whether the user gets another variant than the flag's off variant. An empty targetingKey is none.
func (c *Client) IsActive(ctx context.Context, flag, targetingKey string, attributes Attributes, otherwise bool) bool {
	return c.ask(ctx, flag, targetingKey, attributes, otherwise, nil).Active
}

// Variant returns the key of the user's variant.
func (c *Client) Variant(ctx context.Context, flag, targetingKey string, attributes Attributes, otherwise string) string {
	evaluation := c.ask(ctx, flag, targetingKey, attributes, nil, nil)
	if evaluation.Error != "" {
		return otherwise
	}
	return evaluation.Variant
}

// BoolValue returns the value of the user's variant.
func (c *Client) BoolValue(ctx context.Context, flag, targetingKey string, attributes Attributes, otherwise bool) bool {
	return c.Evaluate(ctx, flag, targetingKey, attributes, otherwise).Value.(bool)
}

// StringValue returns the value of the user's variant.
func (c *Client) StringValue(ctx context.Context, flag, targetingKey string, attributes Attributes, otherwise string) string {
	return c.Evaluate(ctx, flag, targetingKey, attributes, otherwise).Value.(string)
}

// IntValue returns the value of the user's variant, a number without a fraction (5 or 5.0).
func (c *Client) IntValue(ctx context.Context, flag, targetingKey string, attributes Attributes, otherwise int64) int64 {
	return c.Evaluate(ctx, flag, targetingKey, attributes, otherwise).Value.(int64)
}

// FloatValue returns the value of the user's variant, any number.
func (c *Client) FloatValue(ctx context.Context, flag, targetingKey string, attributes Attributes, otherwise float64) float64 {
	return c.Evaluate(ctx, flag, targetingKey, attributes, otherwise).Value.(float64)
}

// ObjectValue returns the value of the user's variant, as encoding/json reads an object.
func (c *Client) ObjectValue(ctx context.Context, flag, targetingKey string, attributes Attributes, otherwise map[string]any) map[string]any {
	return c.Evaluate(ctx, flag, targetingKey, attributes, otherwise).Value.(map[string]any)
}

// Evaluate returns all that is known of the flag for the user. The default is a bool, string, int, int64, float64 or
// map[string]any, and the value has its type (int64 for an int); with nil the value may have any type.
func (c *Client) Evaluate(ctx context.Context, flag, targetingKey string, attributes Attributes, otherwise any) Evaluation {
	if number, isInt := otherwise.(int); isInt {
		otherwise = int64(number)
	}
	return c.ask(ctx, flag, targetingKey, attributes, otherwise, otherwise)
}

// ask returns an evaluation whose value has the type of like.
func (c *Client) ask(ctx context.Context, flag, targetingKey string, attributes Attributes, otherwise, like any) Evaluation {
	active, _ := otherwise.(bool)
	answer, failed := c.answer(ctx, flag, targetingKey, attributes)
	var value any
	if failed == nil {
		value, failed = decode(answer.Value, like)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stats.Questions++
	if failed != nil {
		c.stats.Defaults[failed.code]++
		c.warn(&c.questions, 1, failed)
		return Evaluation{
			Flag: flag, Value: otherwise, Active: active, Reason: "ERROR", Metadata: map[string]any{},
			Error: failed.code, ErrorDetails: failed.details,
		}
	}
	if told, isBool := answer.Metadata["active"].(bool); isBool {
		active = told
	}
	return Evaluation{
		Flag: flag, Value: value, Variant: *answer.Variant, Active: active, Reason: *answer.Reason, Metadata: answer.Metadata,
	}
}

type ofrepAnswer struct {
	Value    json.RawMessage `json:"value"`
	Variant  *string         `json:"variant"`
	Reason   *string         `json:"reason"`
	Metadata map[string]any  `json:"metadata"`
}

// answer asks, unless the sidecar has just failed several times, and keeps count of that.
func (c *Client) answer(ctx context.Context, flag, targetingKey string, attributes Attributes) (*ofrepAnswer, *trouble) {
	if flag == "" {
		return nil, &trouble{FlagNotFound, "no key of a flag was given"}
	}
	body, failed := question(targetingKey, attributes)
	if failed != nil {
		return nil, failed
	}
	if failed := c.mayAsk(); failed != nil {
		return nil, failed
	}
	if ctx == nil {
		ctx = context.Background()
	}
	within, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	var answer *ofrepAnswer
	response, text, failed := c.post(within, &c.kept, "/ofrep/v1/evaluate/flags/"+url.PathEscape(flag), body)
	if failed == nil {
		answer, failed = readAnswer(response.StatusCode, text)
	}
	if ctx.Err() == nil { // a caller that gave up before the deadline says nothing about the sidecar
		c.keepCount(failed)
	}
	return answer, failed
}

// question returns the body of a question.
func question(targetingKey string, attributes Attributes) (body []byte, failed *trouble) {
	defer func() {
		if thrown := recover(); thrown != nil { // by a MarshalJSON of the caller's
			failed = &trouble{InvalidContext, fmt.Sprintf("the attributes cannot be written as JSON: %v", thrown)}
		}
	}()
	about := make(Attributes, len(attributes)+1)
	maps.Copy(about, attributes)
	delete(about, "targetingKey")
	if targetingKey != "" {
		about["targetingKey"] = targetingKey
	}
	body, err := json.Marshal(map[string]any{"context": about})
	if err != nil {
		return nil, &trouble{InvalidContext, "the attributes cannot be written as JSON: " + err.Error()}
	}
	return body, nil
}

func (c *Client) mayAsk() *trouble {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return &trouble{Closed, "the client has been closed"}
	}
	if c.troubles >= troublesBeforePause {
		now := time.Now()
		if now.Before(c.askAgain) {
			return &trouble{Paused, "not asked, because the sidecar has just failed several times"}
		}
		c.askAgain = now.Add(pauseInterval)
	}
	return nil
}

func (c *Client) keepCount(failed *trouble) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if failed == nil || !slices.Contains([]ErrorCode{Refused, Timeout, Broken, InvalidResponse}, failed.code) {
		c.troubles = 0
		return
	}
	c.troubles++
	if c.troubles == troublesBeforePause {
		c.askAgain = time.Now().Add(pauseInterval)
	}
}

// readAnswer returns what the sidecar said of a flag, or why it said nothing.
func readAnswer(status int, text []byte) (*ofrepAnswer, *trouble) {
	if status == http.StatusOK {
		answer := &ofrepAnswer{Metadata: map[string]any{}}
		if json.Unmarshal(text, answer) != nil || answer.Variant == nil || answer.Reason == nil ||
			len(answer.Value) == 0 || strings.ContainsAny(string(answer.Value[:1]), "[n") { // a list or null
			return nil, &trouble{InvalidResponse, "expected JSON with value, variant and reason"}
		}
		return answer, nil
	}
	var said struct {
		Code    ErrorCode `json:"errorCode"`
		Details string    `json:"errorDetails"`
	}
	if json.Unmarshal(text, &said) == nil {
		switch said.Code {
		case FlagNotFound, TargetingKeyMissing, ParseError, InvalidContext:
			return nil, &trouble{said.Code, said.Details}
		}
	}
	return nil, &trouble{General, strings.TrimSuffix(fmt.Sprintf("HTTP status %d: %s", status, said.Details), ": ")}
}

// decode returns a value of the type of like; of any type if that is nil.
func decode(text json.RawMessage, like any) (any, *trouble) {
	var value any
	err := json.Unmarshal(text, &value)
	if _, isInt := like.(int64); isInt {
		var whole int64
		number, isNumber := value.(float64)
		if json.Unmarshal(text, &whole) == nil { // exactly, which a float64 is not
			value = whole
		} else if isNumber && number == math.Trunc(number) && math.Abs(number) < 1<<63 { // 5.0
			value = int64(number)
		}
	}
	if err != nil || like != nil && reflect.TypeOf(value) != reflect.TypeOf(like) {
		return nil, &trouble{TypeMismatch, "the value is of another type than the default"}
	}
	return value, nil
}

// Outcomes

type outcome struct {
	flag     string
	reported time.Time
	Outcome  string  `json:"outcome"`
	Latency  float64 `json:"latency_ms,omitempty"`
	Began    int64   `json:"began_ms"`
}

// Success reports a call of the flag's feature that ended well, and how long it took (0: not known). It returns at once.
func (c *Client) Success(flag string, latency time.Duration) { c.report(flag, "success", latency) }

// Failure reports a call of the flag's feature that failed, and how long it took (0: not known). It returns at once.
func (c *Client) Failure(flag string, latency time.Duration) { c.report(flag, "failure", latency) }

// Guard runs block, measures it and reports it as a failure if failed says so of what it returned; a nil failed calls
// every error a failure. A panic is a failure, and goes on to the caller like everything that block returns.
func Guard[T any](c *Client, flag string, block func() (T, error), failed func(T, error) bool) (T, error) {
	began := time.Now()
	failure := true // unless block returns
	defer func() {
		if failure {
			c.Failure(flag, time.Since(began))
		}
	}()
	result, err := block()
	latency := time.Since(began)
	if failure = isFailure(result, err, failed); !failure {
		c.Success(flag, latency)
	}
	return result, err
}

// isFailure says what failed says, and false if it panics.
func isFailure[T any](result T, err error, failed func(T, error) bool) (failure bool) {
	if failed == nil {
		return err != nil
	}
	defer func() { _ = recover() }()
	return failed(result, err)
}

func (c *Client) report(flag, how string, latency time.Duration) {
	now := time.Now()
	if latency < 0 || latency > longestLatency {
		latency = 0
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case flag == "":
		c.stats.OutcomesRefused++
		return
	case c.closed:
		c.stats.OutcomesDropped++
		return
	case len(c.waiting)+c.inFlight >= c.maxOutcomes:
		c.drop(1, &trouble{General, "the buffer is full"})
		if len(c.waiting) == 0 {
			return // all that fit are on their way
		}
		c.waiting = c.waiting[1:]
	}
	c.waiting = append(c.waiting, outcome{
		flag: flag, reported: now, Outcome: how,
		Latency: float64(latency) / float64(time.Millisecond), Began: now.Add(-latency).UnixMilli(),
	})
	if c.timer == nil {
		c.flushAfter(c.flushInterval)
	} else if len(c.waiting) == maxBatch && c.timer.Stop() {
		c.flushAfter(0)
	}
}

// drop counts outcomes as lost; mu is held.
func (c *Client) drop(count int, why *trouble) {
	if count > 0 {
		c.stats.OutcomesDropped += int64(count)
		c.warn(&c.outcomes, count, why)
	}
}

// dropIfEnded drops what a flush leaves that was still under way when Close gave up; mu is held.
func (c *Client) dropIfEnded() {
	if c.ended {
		c.drop(len(c.waiting), &trouble{Closed, "the client has been closed"})
		c.waiting = nil
	}
}

// flushAfter plans to send what waits, and what then still waits; mu is held.
func (c *Client) flushAfter(wait time.Duration) {
	c.timer = time.AfterFunc(wait, func() {
		ctx, cancel := context.WithTimeout(context.Background(), outcomeLifetime)
		defer cancel()
		allSent := c.Flush(ctx)
		c.mu.Lock()
		defer c.mu.Unlock()
		c.timer = nil
		switch {
		case c.closed || len(c.waiting) == 0:
		case allSent && len(c.waiting) >= maxBatch:
			c.flushAfter(0)
		default:
			c.flushAfter(c.flushInterval)
		}
	})
}

// Flush sends the outcomes that wait and says whether all of them were sent. It takes a second at most, unless ctx has
// another deadline.
func (c *Client) Flush(ctx context.Context) bool {
	if ctx == nil {
		ctx = context.Background()
	}
	if _, hasDeadline := ctx.Deadline(); !hasDeadline {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, sendTimeout)
		defer cancel()
	}
	select {
	case c.sending <- struct{}{}:
		defer func() { <-c.sending }()
	case <-ctx.Done():
		return false
	}
	c.mu.Lock()
	taken := c.waiting
	c.waiting, c.inFlight = nil, len(taken)
	c.mu.Unlock()

	sent, refused, old, again := c.sendAll(ctx, taken)

	c.mu.Lock()
	defer c.mu.Unlock()
	c.stats.OutcomesSent += int64(sent)
	c.stats.OutcomesRefused += int64(refused)
	c.drop(old, &trouble{Timeout, "not sent within 10 s"})
	c.waiting, c.inFlight = append(again, c.waiting...), 0
	c.dropIfEnded()
	return sent == len(taken)
}

// sendAll sends batches of one flag each. It returns how many outcomes were sent, refused and too old, and those to send
// again.
func (c *Client) sendAll(ctx context.Context, outcomes []outcome) (sent, refused, old int, again []outcome) {
	byFlag := map[string][]outcome{}
	for _, each := range outcomes {
		byFlag[each.flag] = append(byFlag[each.flag], each)
	}
	reachable := true
	for flag, all := range byFlag {
		for len(all) > 0 {
			batch := all[:min(len(all), maxBatch)]
			all = all[len(batch):]
			fresh := slices.DeleteFunc(batch, func(o outcome) bool { return time.Since(o.reported) > outcomeLifetime })
			old += len(batch) - len(fresh)
			status := 0
			if reachable && len(fresh) > 0 && time.Now().After(c.notBefore[flag]) {
				status = c.send(ctx, flag, fresh)
				reachable = status != 0
			}
			switch {
			case status == 0 || status == http.StatusTooManyRequests || status >= 500:
				again = append(again, fresh...)
			case status >= 300:
				refused += len(fresh)
			default:
				sent += len(fresh)
			}
		}
	}
	slices.SortStableFunc(again, func(a, b outcome) int { return a.reported.Compare(b.reported) })
	return sent, refused, old, again
}

// send sends a batch and returns the status, 0 if there was no answer.
func (c *Client) send(ctx context.Context, flag string, batch []outcome) (status int) {
	ctx, cancel := context.WithTimeout(ctx, sendTimeout)
	defer cancel()
	body, _ := json.Marshal(batch) // texts and numbers
	response, _, failed := c.post(ctx, &c.reporting, "/v1/flags/"+url.PathEscape(flag)+"/outcomes", body)
	if failed == nil {
		status = response.StatusCode
	}
	if status == http.StatusTooManyRequests {
		seconds, _ := strconv.ParseUint(response.Header.Get("Retry-After"), 10, 16)
		c.notBefore[flag] = time.Now().Add(time.Duration(seconds) * time.Second)
	}
	if status >= 300 {
		failed = &trouble{General, "HTTP status " + strconv.Itoa(status)}
	}
	if failed != nil {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.warn(&c.outcomes, len(batch), failed)
	}
	return status
}

// Close sends what waits, for at most a second, and ends the client. Questions get their defaults from then on.
func (c *Client) Close() {
	c.mu.Lock()
	alreadyClosed := c.closed
	c.closed = true
	c.mu.Unlock()
	if alreadyClosed {
		return
	}
	c.Flush(context.Background())
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ended = true
	c.dropIfEnded()
	if c.timer != nil {
		c.timer.Stop()
	}
	for _, connection := range append(c.kept, c.reporting...) {
		connection.Close()
	}
	c.kept, c.reporting = nil, nil
	c.proxied.CloseIdleConnections()
}

// What it says of itself

// Stats returns the counts of now.
func (c *Client) Stats() Stats {
	c.mu.Lock()
	defer c.mu.Unlock()
	stats := c.stats
	stats.Defaults = maps.Clone(stats.Defaults)
	stats.OutcomesWaiting = len(c.waiting) + c.inFlight
	return stats
}

// warnings counts troubles between two lines of the log.
type warnings struct {
	text  string
	count int
	next  time.Time
}

// warn logs at most once a minute; mu is held. The caller does not wait for the logger.
func (c *Client) warn(about *warnings, more int, latest *trouble) {
	about.count += more
	now := time.Now()
	if now.Before(about.next) {
		return
	}
	count, details := about.count, latest.details
	about.count, about.next = 0, now.Add(logInterval)
	if latest.code == InvalidContext {
		details = "" // it might tell attributes
	}
	logger := c.logger
	if logger == nil {
		logger = slog.Default()
	}
	go func() {
		defer func() { _ = recover() }() // a logger's trouble is not the caller's
		logger.Warn("tailslide: "+about.text, "count", count, "error", latest.code, "details", details)
	}()
}

// Calls through the proxy

// ProxyURL returns the address of a path at the sidecar's proxy.
func (c *Client) ProxyURL(path string) string {
	if path != "" && !strings.HasPrefix(path, "/") {
		path = "/" + path
	}
	return c.proxyURL + path
}

// HTTPClient returns a client whose calls go through the sidecar's proxy and keep their URLs. It has no timeout.
func (c *Client) HTTPClient() *http.Client { return c.proxied }

// HTTP. Not net/http's Transport: it has two goroutines for each kept connection, and tries all kept ones that have ended.

// connection is one to the sidecar. It carries one request at a time.
type connection struct {
	net.Conn
	from   *pool
	reader *bufio.Reader // of the connection itself
	left   int           // bytes that an answer may still have
	err    error         // what ended reading
}

// pool has connections that wait for their next request.
type pool []*connection

var errTooLarge = errors.New("the answer is larger than 1 MiB")

// Read is for reader.
func (on *connection) Read(into []byte) (n int, err error) {
	if on.left == 0 {
		err = errTooLarge
	} else {
		n, err = on.Conn.Read(into[:min(len(into), on.left)])
	}
	on.left -= n
	on.err = err
	return n, err
}

// post sends a request and returns the whole answer. A kept connection that ends before the first byte of an answer is
// left for a new one: the sidecar may have been restarted in between.
func (c *Client) post(ctx context.Context, from *pool, path string, body []byte) (*http.Response, []byte, *trouble) {
	head := "POST " + path + " HTTP/1.1\r\nHost: " + c.host + "\r\nContent-Type: application/json\r\n"
	if c.token != "" {
		head += "Authorization: Bearer " + c.token + "\r\n"
	}
	request := append([]byte(head+"Content-Length: "+strconv.Itoa(len(body))+"\r\n\r\n"), body...)
	if kept := c.takeKept(from); kept != nil {
		if response, text, failed := c.exchange(ctx, kept, request); failed != ended {
			return response, text, failed
		}
	}
	var dialer net.Dialer
	dialed, err := dialer.DialContext(ctx, c.network, c.address)
	if err != nil {
		failed := connectionTrouble(ctx, err)
		if failed.code == Broken {
			failed = &trouble{Refused, err.Error()}
		}
		return nil, nil, failed
	}
	fresh := &connection{Conn: dialed, from: from}
	fresh.reader = bufio.NewReader(fresh)
	return c.exchange(ctx, fresh, request)
}

func (c *Client) takeKept(from *pool) *connection {
	c.mu.Lock()
	defer c.mu.Unlock()
	last := len(*from) - 1
	if last < 0 {
		return nil
	}
	taken := (*from)[last]
	*from = (*from)[:last]
	return taken
}

// ended is the trouble with a connection that ended before the first byte of an answer.
var ended = &trouble{Broken, "the connection ended before an answer"}

// exchange sends a request and reads the answer. The connection is kept if it can carry another request.
func (c *Client) exchange(ctx context.Context, on *connection, request []byte) (response *http.Response, text []byte, failed *trouble) {
	stop := context.AfterFunc(ctx, func() { _ = on.SetDeadline(time.Unix(1, 0)) }) // ends what blocks
	keep := false
	defer func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		if stop() && keep && !c.closed && len(*on.from) < maxKeptConnections {
			*on.from = append(*on.from, on)
		} else {
			on.Close()
		}
	}()
	on.left = maxAnswerBytes
	_, _ = on.Write(request) // the sidecar may answer before it has everything; whether it does, reading tells
	if _, err := on.reader.Peek(1); err != nil {
		if failed = connectionTrouble(ctx, err); failed.code == Broken {
			failed = ended
		}
		return nil, nil, failed
	}
	response, err := http.ReadResponse(on.reader, nil)
	for err == nil && response.StatusCode < 200 && response.StatusCode != http.StatusSwitchingProtocols {
		response, err = http.ReadResponse(on.reader, nil) // the one before was an interim response
	}
	if err == nil {
		text, err = io.ReadAll(response.Body)
	}
	switch {
	case err != nil && on.err != nil:
		failed = connectionTrouble(ctx, on.err)
	case err != nil:
		failed = &trouble{InvalidResponse, err.Error()}
	case response.StatusCode < 200:
		failed = &trouble{InvalidResponse, "the sidecar switches protocols"}
	default:
		keep = !response.Close && on.reader.Buffered() == 0
	}
	return response, text, failed
}

func connectionTrouble(ctx context.Context, err error) *trouble {
	var network net.Error
	switch {
	case ctx.Err() != nil, errors.As(err, &network) && network.Timeout():
		return &trouble{Timeout, "no whole answer within the deadline"}
	case err == errTooLarge:
		return &trouble{InvalidResponse, err.Error()}
	}
	return &trouble{Broken, "the connection ended before a whole answer: " + err.Error()}
}
