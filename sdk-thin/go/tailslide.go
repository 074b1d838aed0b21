// Package tailslide is the thin client of Tailslide: it asks the sidecar about flags and reports how calls ended.
//
// A question has an answer within its deadline (50 ms by default), whatever the sidecar does: if none came, the answer is
// the default. Outcomes are sent in the background. A Client may be used by any number of goroutines at the same time.
package tailslide

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const (
	maxAnswerBytes      = 1 << 20
	maxHeaderBytes      = 64 << 10
	maxKeptConnections  = 16
	maxBatch            = 1000
	troublesBeforePause = 5
	pauseInterval       = 250 * time.Millisecond
	outcomeLifetime     = 10 * time.Second
	sendTimeout         = time.Second
	closeTimeout        = time.Second
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
	transport     *http.Transport
	proxied       *http.Client

	start     sync.Once            // of the background's goroutine
	hurry     chan struct{}        // holds an item when a whole batch waits
	done      chan struct{}        // closed with the client
	sending   chan struct{}        // holds an item while somebody sends outcomes
	notBefore map[string]time.Time // by flag, what Retry-After said; for the holder of sending

	mu        sync.Mutex // guards all below
	closed    bool
	troubles  int // questions in a row that had no answer
	askAgain  time.Time
	waiting   []outcome
	inFlight  int
	stats     Stats
	questions warnings
	outcomes  warnings
}

// trouble is why a request had no usable answer.
type trouble struct {
	code    ErrorCode
	details string
}

type outcome struct {
	flag     string
	reported time.Time
	Outcome  string  `json:"outcome"`
	Latency  float64 `json:"latency_ms,omitempty"`
	Began    int64   `json:"began_ms"`
}

// warnings counts troubles between two lines of the log.
type warnings struct {
	count int
	next  time.Time
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
		url:           fromEnvironment("TAILSLIDE_FLAGS_URL", "http://127.0.0.1:4141"),
		token:         fromEnvironment("TAILSLIDE_FLAGS_TOKEN", ""),
		proxyURL:      fromEnvironment("TAILSLIDE_PROXY_URL", "http://127.0.0.1:4140"),
		timeout:       50 * time.Millisecond,
		flushInterval: 200 * time.Millisecond,
		maxOutcomes:   10_000,
		hurry:         make(chan struct{}, 1),
		done:          make(chan struct{}),
		sending:       make(chan struct{}, 1),
		notBefore:     map[string]time.Time{},
		stats:         Stats{Defaults: map[ErrorCode]int64{}},
	}
	for _, option := range options {
		option(c)
	}
	if c.timeout <= 0 {
		return nil, fmt.Errorf("tailslide: timeout: expected a positive duration, got %v", c.timeout)
	}
	if c.flushInterval <= 0 {
		return nil, fmt.Errorf("tailslide: flush interval: expected a positive duration, got %v", c.flushInterval)
	}
	if c.maxOutcomes < 1 {
		return nil, fmt.Errorf("tailslide: max outcomes: expected at least 1, got %d", c.maxOutcomes)
	}
	if strings.ContainsFunc(c.token, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return nil, errors.New("tailslide: token: expected printable ASCII without spaces")
	}
	dial := (&net.Dialer{Timeout: sendTimeout}).DialContext
	if path, isSocket := strings.CutPrefix(c.url, "unix:"); isSocket {
		if path == "" {
			return nil, errors.New("tailslide: url: expected unix:/path, got no path")
		}
		tcp := dial
		dial = func(ctx context.Context, _, _ string) (net.Conn, error) { return tcp(ctx, "unix", path) }
		c.url = "http://localhost"
	}
	var err error
	if c.url, err = address("url", c.url); err != nil {
		return nil, err
	}
	if c.proxyURL, err = address("proxy url", c.proxyURL); err != nil {
		return nil, err
	}
	c.transport = &http.Transport{
		DialContext:            dial,
		DisableCompression:     true,
		MaxIdleConnsPerHost:    maxKeptConnections,
		MaxResponseHeaderBytes: maxHeaderBytes,
	}
	proxy, _ := url.Parse(c.proxyURL)
	c.proxied = &http.Client{Transport: &http.Transport{Proxy: http.ProxyURL(proxy), MaxIdleConnsPerHost: maxKeptConnections}}
	return c, nil
}

func fromEnvironment(name, otherwise string) string {
	if value := os.Getenv(name); value != "" {
		return value
	}
	return otherwise
}

// address returns text as http://HOST:PORT.
func address(setting, text string) (string, error) {
	parsed, err := url.Parse(text)
	if err != nil || parsed.Scheme != "http" || parsed.Hostname() == "" || strings.Trim(parsed.Path, "/") != "" ||
		parsed.User != nil || parsed.RawQuery != "" || parsed.Fragment != "" {
		return "", fmt.Errorf("tailslide: %s: expected http://HOST:PORT, got %q", setting, text)
	}
	if port := parsed.Port(); port != "" {
		if number, err := strconv.ParseUint(port, 10, 16); err != nil || number == 0 {
			return "", fmt.Errorf("tailslide: %s: expected a port from 1 to 65535, got %q", setting, text)
		}
	}
	return "http://" + parsed.Host, nil
}

// Questions

// IsActive says whether the user gets another variant than the flag's off variant. An empty targetingKey is none.
func (c *Client) IsActive(ctx context.Context, flag, targetingKey string, attributes Attributes, otherwise bool) bool {
	return c.ask(ctx, flag, targetingKey, attributes, otherwise, anyType).Active
}

// Variant returns the key of the user's variant.
func (c *Client) Variant(ctx context.Context, flag, targetingKey string, attributes Attributes, otherwise string) string {
	evaluation := c.ask(ctx, flag, targetingKey, attributes, nil, anyType)
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
	return c.ask(ctx, flag, targetingKey, attributes, otherwise, sameType)
}

func (c *Client) ask(
	ctx context.Context, flag, targetingKey string, attributes Attributes, otherwise any, typed func(json.RawMessage, any) any,
) Evaluation {
	if number, isInt := otherwise.(int); isInt {
		otherwise = int64(number)
	}
	evaluation, failed := c.evaluation(ctx, flag, targetingKey, attributes, otherwise, typed)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stats.Questions++
	if failed == nil {
		return evaluation
	}
	c.stats.Defaults[failed.code]++
	c.warn(&c.questions, "questions got their defaults", 1, failed)
	active, _ := otherwise.(bool)
	return Evaluation{
		Flag: flag, Value: otherwise, Active: active, Reason: "ERROR", Metadata: map[string]any{},
		Error: failed.code, ErrorDetails: failed.details,
	}
}

func (c *Client) evaluation(
	ctx context.Context, flag, targetingKey string, attributes Attributes, otherwise any, typed func(json.RawMessage, any) any,
) (Evaluation, *trouble) {
	if flag == "" {
		return Evaluation{}, &trouble{FlagNotFound, "no key of a flag was given"}
	}
	body, failed := question(targetingKey, attributes)
	if failed != nil {
		return Evaluation{}, failed
	}
	answer, failed := c.answer(ctx, "/ofrep/v1/evaluate/flags/"+url.PathEscape(flag), body)
	if failed != nil {
		return Evaluation{}, failed
	}
	value := typed(answer.Value, otherwise)
	if value == nil {
		return Evaluation{}, &trouble{TypeMismatch, "the value is of another type than the default"}
	}
	active, told := answer.Metadata["active"].(bool)
	if !told {
		active, _ = otherwise.(bool)
	}
	return Evaluation{
		Flag: flag, Value: value, Variant: *answer.Variant, Active: active, Reason: *answer.Reason, Metadata: answer.Metadata,
	}, nil
}

// question returns the body of a question.
func question(targetingKey string, attributes Attributes) (body []byte, failed *trouble) {
	defer func() {
		if thrown := recover(); thrown != nil { // by a MarshalJSON of the caller's
			failed = &trouble{InvalidContext, fmt.Sprintf("the attributes cannot be written as JSON: %v", thrown)}
		}
	}()
	about := make(map[string]any, len(attributes)+1)
	for name, value := range attributes {
		about[name] = value
	}
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

type ofrepAnswer struct {
	Value    json.RawMessage `json:"value"`
	Variant  *string         `json:"variant"`
	Reason   *string         `json:"reason"`
	Metadata map[string]any  `json:"metadata"`
}

// answer asks, unless the sidecar has just failed several times, and keeps count of that.
func (c *Client) answer(ctx context.Context, path string, body []byte) (*ofrepAnswer, *trouble) {
	if failed := c.mayAsk(); failed != nil {
		return nil, failed
	}
	if ctx == nil {
		ctx = context.Background()
	}
	within, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	answer := &ofrepAnswer{Metadata: map[string]any{}}
	status, _, text, failed := c.post(within, path, body)
	if failed == nil && status == http.StatusOK {
		err := json.Unmarshal(text, answer)
		if err != nil || anyType(answer.Value, nil) == nil || answer.Variant == nil || answer.Reason == nil {
			failed = &trouble{InvalidResponse, "expected JSON with value, variant and reason"}
		}
	}
	// A caller that gave up before the deadline says nothing about the sidecar.
	if failed == nil || ctx.Err() == nil {
		c.keepCount(failed)
	}
	if failed == nil && status != http.StatusOK {
		failed = sidecarError(status, text)
	}
	return answer, failed
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
	if failed == nil {
		c.troubles = 0
		return
	}
	c.troubles++
	if c.troubles == troublesBeforePause {
		c.askAgain = time.Now().Add(pauseInterval)
	}
}

// sidecarError returns what an answer with another status than 200 says.
func sidecarError(status int, text []byte) *trouble {
	var said struct {
		Code    ErrorCode `json:"errorCode"`
		Details string    `json:"errorDetails"`
	}
	if json.Unmarshal(text, &said) == nil {
		switch said.Code {
		case FlagNotFound, TargetingKeyMissing, ParseError, InvalidContext:
			return &trouble{said.Code, said.Details}
		}
	}
	details := "HTTP status " + strconv.Itoa(status)
	if said.Details != "" {
		details += ": " + said.Details
	}
	return &trouble{General, details}
}

// anyType returns a value of OFREP, which is never null or a list, or nil.
func anyType(text json.RawMessage, _ any) any {
	var value any
	if json.Unmarshal(text, &value) != nil {
		return nil
	}
	if _, isList := value.([]any); isList {
		return nil
	}
	return value
}

// sameType returns the value with the type of otherwise, or nil if it has another one.
func sameType(text json.RawMessage, otherwise any) any {
	value := anyType(text, nil)
	same := false
	switch otherwise.(type) {
	case nil:
		same = true
	case bool:
		_, same = value.(bool)
	case string:
		_, same = value.(string)
	case float64:
		_, same = value.(float64)
	case map[string]any:
		_, same = value.(map[string]any)
	case int64:
		var whole int64
		if json.Unmarshal(text, &whole) == nil {
			return whole
		}
		number, isNumber := value.(float64) // 5.0
		if isNumber && number == math.Trunc(number) && math.Abs(number) < 1<<63 {
			return int64(number)
		}
	}
	if !same {
		return nil
	}
	return value
}

// Outcomes

// Success reports a call of the flag's feature that ended well, and how long it took (0: not known). It returns at once.
func (c *Client) Success(flag string, latency time.Duration) { c.report(flag, "success", latency) }

// Failure reports a call of the flag's feature that failed, and how long it took (0: not known). It returns at once.
func (c *Client) Failure(flag string, latency time.Duration) { c.report(flag, "failure", latency) }

// Guard runs block, measures it and reports it as a failure if failed says so of what it returned; a nil failed calls
// every error a failure. A panic is a failure, and goes on to the caller like everything that block returns.
func Guard[T any](c *Client, flag string, block func() (T, error), failed func(T, error) bool) (T, error) {
	began := time.Now()
	returned := false
	defer func() {
		if !returned {
			c.Failure(flag, time.Since(began))
		}
	}()
	result, err := block()
	latency := time.Since(began)
	returned = true
	if isFailure(result, err, failed) {
		c.Failure(flag, latency)
	} else {
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

// longestLatency is the longest that counts as known.
const longestLatency = 24 * time.Hour

func (c *Client) report(flag, how string, latency time.Duration) {
	now := time.Now()
	if latency < 0 || latency > longestLatency {
		latency = 0
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if flag == "" {
		c.stats.OutcomesRefused++
		return
	}
	if c.closed {
		c.stats.OutcomesDropped++
		return
	}
	if len(c.waiting)+c.inFlight >= c.maxOutcomes {
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
	c.start.Do(func() { go c.sendInBackground() })
	if len(c.waiting) == maxBatch {
		select {
		case c.hurry <- struct{}{}:
		default:
		}
	}
}

// drop counts outcomes as lost; mu is held.
func (c *Client) drop(count int, why *trouble) {
	c.stats.OutcomesDropped += int64(count)
	c.warn(&c.outcomes, "outcomes could not be sent", count, why)
}

// sendInBackground sends what waits until the client is closed.
func (c *Client) sendInBackground() {
	timer := time.NewTimer(c.flushInterval)
	defer timer.Stop()
	for {
		select {
		case <-timer.C:
		case <-c.hurry:
		case <-c.done:
			return
		}
		ctx, cancel := context.WithTimeout(context.Background(), outcomeLifetime)
		c.Flush(ctx)
		cancel()
		timer.Reset(c.flushInterval)
	}
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
	batches := byFlag(c.waiting)
	c.inFlight = len(c.waiting)
	c.waiting = nil
	c.mu.Unlock()

	allSent := true
	var again []outcome
	later := map[string]bool{} // flags that have to wait for the next flush
	reachable := true
	for _, batch := range batches {
		flag := batch[0].flag
		if !reachable || later[flag] || ctx.Err() != nil || time.Now().Before(c.notBefore[flag]) {
			again, allSent = append(again, batch...), false
			continue
		}
		delete(c.notBefore, flag)
		fresh := c.dropOld(batch)
		if len(fresh) < len(batch) {
			allSent = false
		}
		if len(fresh) == 0 {
			continue
		}
		status, retryAfter, failed := c.send(ctx, flag, fresh)
		if failed == nil && status < 300 {
			c.settle(len(fresh), &c.stats.OutcomesSent, nil)
			continue
		}
		allSent = false
		switch {
		case failed != nil:
			reachable = false
		case status == http.StatusTooManyRequests:
			c.notBefore[flag] = time.Now().Add(retryAfter)
			later[flag] = true
		case status >= 500:
			later[flag] = true
		default:
			c.settle(len(fresh), &c.stats.OutcomesRefused, sidecarError(status, nil))
			continue
		}
		if failed == nil {
			failed = sidecarError(status, nil)
		}
		again = append(again, fresh...)
		c.mu.Lock()
		c.warn(&c.outcomes, "outcomes could not be sent", len(fresh), failed)
		c.mu.Unlock()
	}

	c.mu.Lock()
	defer c.mu.Unlock()
	c.inFlight = 0
	c.waiting = append(again, c.waiting...)
	return allSent
}

// byFlag returns lists of outcomes of one flag each, none longer than a request may be.
func byFlag(outcomes []outcome) [][]outcome {
	var batches [][]outcome
	current := map[string]int{}
	for _, each := range outcomes {
		index, known := current[each.flag]
		if !known || len(batches[index]) == maxBatch {
			index = len(batches)
			current[each.flag] = index
			batches = append(batches, nil)
		}
		batches[index] = append(batches[index], each)
	}
	return batches
}

// dropOld returns those outcomes that are recent enough to be sent, which are the last ones.
func (c *Client) dropOld(batch []outcome) []outcome {
	old := 0
	for old < len(batch) && time.Since(batch[old].reported) > outcomeLifetime {
		old++
	}
	if old > 0 {
		c.settle(old, &c.stats.OutcomesDropped, &trouble{Timeout, "not sent within 10 s"})
	}
	return batch[old:]
}

// settle counts outcomes that were in flight as one thing or the other, and warns of a trouble.
func (c *Client) settle(count int, as *int64, failed *trouble) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.inFlight -= count
	*as += int64(count)
	if failed != nil {
		c.warn(&c.outcomes, "outcomes could not be sent", count, failed)
	}
}

func (c *Client) send(ctx context.Context, flag string, batch []outcome) (status int, retryAfter time.Duration, failed *trouble) {
	body, err := json.Marshal(batch)
	if err != nil {
		return 0, 0, &trouble{General, err.Error()}
	}
	ctx, cancel := context.WithTimeout(ctx, sendTimeout)
	defer cancel()
	status, header, _, failed := c.post(ctx, "/v1/flags/"+url.PathEscape(flag)+"/outcomes", body)
	seconds, err := strconv.ParseUint(header.Get("Retry-After"), 10, 16)
	if err != nil {
		seconds = 1
	}
	return status, time.Duration(seconds) * time.Second, failed
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
	close(c.done)
	ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
	defer cancel()
	c.Flush(ctx)
	c.mu.Lock()
	if lost := len(c.waiting); lost > 0 {
		c.drop(lost, &trouble{Closed, "the client has been closed"})
		c.waiting = nil
	}
	c.mu.Unlock()
	c.transport.CloseIdleConnections()
	c.proxied.CloseIdleConnections()
}

// What it says of itself

// Stats returns the counts of now.
func (c *Client) Stats() Stats {
	c.mu.Lock()
	defer c.mu.Unlock()
	stats := c.stats
	stats.OutcomesWaiting = len(c.waiting) + c.inFlight
	stats.Defaults = make(map[ErrorCode]int64, len(c.stats.Defaults))
	for code, count := range c.stats.Defaults {
		stats.Defaults[code] = count
	}
	return stats
}

// warn logs at most once a minute; mu is held. The caller does not wait for the logger.
func (c *Client) warn(about *warnings, message string, more int, latest *trouble) {
	about.count += more
	now := time.Now()
	if now.Before(about.next) {
		return
	}
	count := about.count
	about.count, about.next = 0, now.Add(logInterval)
	details := latest.details
	if latest.code == InvalidContext {
		details = "" // it might tell attributes
	}
	go func() {
		defer func() { _ = recover() }()
		logger := c.logger
		if logger == nil {
			logger = slog.Default()
		}
		logger.Warn("tailslide: "+message, "count", count, "error", latest.code, "details", details)
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

// HTTP

// post sends a request and reads the whole answer. The transport itself repeats a request whose kept connection ended
// before the first byte of an answer.
func (c *Client) post(ctx context.Context, path string, body []byte) (int, http.Header, []byte, *trouble) {
	var answering atomic.Bool
	traced := httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotFirstResponseByte: func() { answering.Store(true) }})
	request, err := http.NewRequestWithContext(traced, http.MethodPost, c.url+path, bytes.NewReader(body))
	if err != nil {
		return 0, nil, nil, &trouble{General, err.Error()}
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header["Idempotency-Key"] = nil // not sent; tells the transport that it may repeat this POST
	if c.token != "" {
		request.Header.Set("Authorization", "Bearer "+c.token)
	}
	response, err := c.transport.RoundTrip(request)
	if err != nil {
		return 0, nil, nil, transportTrouble(ctx, err, answering.Load())
	}
	defer response.Body.Close()
	text, err := io.ReadAll(io.LimitReader(response.Body, maxAnswerBytes+1))
	if err != nil {
		return 0, nil, nil, transportTrouble(ctx, err, true)
	}
	if len(text) > maxAnswerBytes {
		return 0, nil, nil, &trouble{InvalidResponse, "the answer is larger than 1 MiB"}
	}
	return response.StatusCode, response.Header, text, nil
}

func transportTrouble(ctx context.Context, err error, answering bool) *trouble {
	var network *net.OpError
	isNetwork := errors.As(err, &network)
	switch {
	case ctx.Err() != nil:
		return &trouble{Timeout, "no whole answer within the deadline"}
	case isNetwork && network.Op == "dial":
		return &trouble{Refused, err.Error()}
	case isNetwork, !answering, errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return &trouble{Broken, err.Error()}
	}
	return &trouble{InvalidResponse, err.Error()}
}
