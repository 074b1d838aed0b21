package tailslide

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

func TestQuestionIsOFREP(t *testing.T) {
	s, client := fake(t, says(answering("true")), patient, WithToken("secret"))
	if !client.IsActive(background, "a/b c", "user-42", Attributes{"country": "DE", "targetingKey": "ignored"}, false) {
		t.Error("expected active")
	}
	asked := <-s.requests
	if asked.Method != "POST" || asked.RequestURI != "/ofrep/v1/evaluate/flags/a%2Fb%20c" || asked.Host != s.Addr().String() {
		t.Errorf("asked %s %s of %s", asked.Method, asked.RequestURI, asked.Host)
	}
	if asked.body != `{"context":{"country":"DE","targetingKey":"user-42"}}` {
		t.Errorf("asked %s", asked.body)
	}
	for name, expected := range map[string]string{
		"Authorization": "Bearer secret", "Content-Type": "application/json", "Accept-Encoding": "",
	} {
		if got := asked.Header.Get(name); got != expected {
			t.Errorf("%s: %q", name, got)
		}
	}
	client.IsActive(background, "f", "", Attributes{"targetingKey": "ignored"}, false)
	if asked := <-s.requests; asked.body != `{"context":{}}` {
		t.Errorf("asked %s", asked.body)
	}
	if s.accepted.Load() != 1 {
		t.Error("expected one kept connection")
	}
}

func TestEvaluationTellsAll(t *testing.T) {
	_, client := fake(t, says(answering(`"blue"`)), patient)
	expected := Evaluation{
		Flag: "f", Value: "blue", Variant: "v", Active: true, Reason: "STATIC",
		Metadata: map[string]any{"active": true, "version": 7.0},
	}
	if got := client.Evaluate(background, "f", "u", nil, "red"); !reflect.DeepEqual(got, expected) {
		t.Errorf("got %+v", got)
	}
	if variant := client.Variant(background, "f", "u", nil, "default"); variant != "v" {
		t.Errorf("variant %q", variant)
	}
}

func TestValueHasTheTypeOfTheDefault(t *testing.T) {
	var value atomic.Value
	_, client := fake(t, func(c net.Conn, asked request) { says(answering(value.Load().(string)))(c, asked) }, patient)
	object := map[string]any{"a": 1.0}
	for _, each := range []struct {
		text               string
		otherwise, expects any
	}{
		{"true", false, true}, {`"x"`, "y", "x"}, {"5", 1, int64(5)}, {"5.0", int64(1), int64(5)}, {"5e2", 1, int64(500)},
		{"9007199254740993", 1, int64(9007199254740993)}, {"5.5", 1, nil}, {"1e300", 1, nil}, {"9223372036854775808", 1, nil},
		{"5", 1.5, 5.0}, {"5.5", 1.5, 5.5}, {"5", "5", nil}, {"1", true, nil}, {`{"a":1}`, map[string]any{}, object},
		{`"x"`, map[string]any{}, nil}, {"true", 1, nil}, {`"5"`, 1, nil}, {`"x"`, nil, "x"}, {"true", struct{}{}, nil},
	} {
		value.Store(each.text)
		got := client.Evaluate(background, "f", "u", nil, each.otherwise)
		if each.expects == nil && got.Error != TypeMismatch || each.expects != nil && !reflect.DeepEqual(got.Value, each.expects) {
			t.Errorf("%s for %v: %+v", each.text, each.otherwise, got)
		}
	}
	value.Store("2")
	if client.BoolValue(background, "f", "u", nil, true) != true || client.StringValue(background, "f", "u", nil, "d") != "d" ||
		client.IntValue(background, "f", "u", nil, 1) != 2 || client.FloatValue(background, "f", "u", nil, 1) != 2 ||
		client.ObjectValue(background, "f", "u", nil, nil) != nil {
		t.Error("expected the value where the type is right, else the default")
	}
}

const chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"

func TestDefaults(t *testing.T) {
	for name, each := range map[string]struct {
		answers  handle
		expected ErrorCode
	}{
		"half a head":    {saysAndEnds(answering("true")[:30]), Broken},
		"half a body":    {saysAndEnds("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"), Broken},
		"half a chunk":   {saysAndEnds(chunked + "ff\r\n{"), Broken},
		"wrong chunk":    {saysAndEnds(chunked + "xyz\r\n{"), InvalidResponse},
		"nothing":        {saysAndEnds(""), Broken},
		"garbage":        {saysAndEnds("\x00\xff\r\n\r\n\r\n"), InvalidResponse},
		"not JSON":       {says(response(200, "", "<html>")), InvalidResponse},
		"no value":       {says(response(200, "", `{"variant":"v","reason":"STATIC"}`)), InvalidResponse},
		"null":           {says(answering("null")), InvalidResponse},
		"a list":         {says(answering("[]")), InvalidResponse},
		"not OFREP":      {says(response(200, "", `[]`)), InvalidResponse},
		"huge":           {says(response(200, "", ofrep("true")+strings.Repeat(" ", 1<<20))), InvalidResponse},
		"huge header":    {says(response(200, "X: "+strings.Repeat("x", 1<<20)+"\r\n", ofrep("true"))), InvalidResponse},
		"upgrade":        {says("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n"), InvalidResponse},
		"not found":      {says(response(404, "", `{"key":"f","errorCode":"FLAG_NOT_FOUND","errorDetails":"no"}`)), FlagNotFound},
		"wrong context":  {says(response(400, "", `{"errorCode":"INVALID_CONTEXT"}`)), InvalidContext},
		"unauthorized":   {says(response(401, "", `{"errorCode":"GENERAL"}`)), General},
		"redirect":       {says(response(302, "Location: http://127.0.0.1:9/\r\n", "")), General},
		"not loaded yet": {says(response(500, "", "<html>")), General},
	} {
		t.Run(name, func(t *testing.T) {
			_, client := fake(t, each.answers, patient)
			got := client.Evaluate(background, "f", "u", nil, true)
			if got.Error != each.expected || got.Value != true || !got.Active || got.Reason != "ERROR" {
				t.Errorf("got %+v", got)
			}
			if stats := client.Stats(); stats.Questions != 1 || stats.Defaults[each.expected] != 1 {
				t.Errorf("got %+v", stats)
			}
		})
	}
}

// Each byte comes within the deadline, and the answer does not.
func TestDeadlineIsOfTheWholeQuestion(t *testing.T) {
	trickle := func(connection net.Conn, _ request) {
		for _, letter := range []byte(answering("true")) {
			if _, err := connection.Write([]byte{letter}); err != nil {
				return
			}
			time.Sleep(20 * time.Millisecond)
		}
	}
	for name, answers := range map[string]handle{"silent": says(""), "trickle": trickle, "half": says(answering("true")[:60])} {
		t.Run(name, func(t *testing.T) {
			_, client := fake(t, answers)
			if got := client.Evaluate(background, "f", "u", nil, nil); got.Error != Timeout {
				t.Errorf("got %+v", got)
			}
			if len(client.kept) != 0 {
				t.Error("a connection without a whole answer was kept")
			}
		})
	}
}

func TestAnswersOfOtherForms(t *testing.T) {
	chunks := chunked
	for _, letter := range ofrep("true") {
		chunks += fmt.Sprintf("1\r\n%c\r\n", letter)
	}
	for name, each := range map[string]struct {
		answers  handle
		accepted int32
	}{
		"chunks of a byte":         {says(chunks + "0\r\n\r\n"), 1},
		"interim response":         {says("HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + answering("true")), 1},
		"says that it ends":        {says(response(200, "Connection: close\r\n", ofrep("true"))), 2},
		"up to the end":            {saysAndEnds("HTTP/1.1 200 OK\r\n\r\n" + ofrep("true")), 2},
		"ends without having said": {saysAndEnds(answering("true")), 2},
		"more than was asked for":  {says(answering("true") + answering(`"somebody else's"`)), 2},
	} {
		t.Run(name, func(t *testing.T) {
			s, client := fake(t, each.answers, patient)
			for range [2]int{} {
				if got := client.Evaluate(background, "f", "u", nil, false); got.Error != "" || got.Value != true {
					t.Errorf("got %+v", got)
				}
			}
			if s.accepted.Load() != each.accepted {
				t.Errorf("%d connections", s.accepted.Load())
			}
		})
	}
}

func TestPauseAfterFiveTroubles(t *testing.T) {
	var back atomic.Bool
	s, client := fake(t, func(connection net.Conn, asked request) {
		if back.Load() {
			says(answering("true"))(connection, asked)
			return
		}
		connection.Close()
	}, patient)
	expect := func(expected ErrorCode) {
		t.Helper()
		if got := client.Evaluate(background, "f", "u", nil, nil); got.Error != expected {
			t.Errorf("expected %q, got %+v", expected, got)
		}
	}
	later := func(when time.Duration) {
		client.mu.Lock()
		defer client.mu.Unlock()
		client.askAgain = time.Now().Add(when)
	}
	for range [troublesBeforePause]int{} {
		expect(Broken)
	}
	later(time.Hour)
	expect(Paused)
	later(0)
	expect(Broken)
	later(time.Hour)
	expect(Paused)
	if asked := len(s.requests); asked != troublesBeforePause+1 {
		t.Errorf("asked %d times", asked)
	}
	back.Store(true)
	later(0)
	expect("")
	expect("")
}

func TestCallerThatGivesUpSaysNothingAboutTheSidecar(t *testing.T) {
	_, client := fake(t, says(answering("true")), patient)
	gone, cancel := context.WithCancel(background)
	cancel()
	for range [2 * troublesBeforePause]int{} {
		if got := client.Evaluate(gone, "f", "u", nil, nil); got.Error != Timeout {
			t.Errorf("got %+v", got)
		}
	}
	if got := client.Evaluate(background, "f", "u", nil, nil); got.Error != "" {
		t.Errorf("got %+v", got)
	}
}

func TestCallerMayGiveUpWhileItWaits(t *testing.T) {
	gone, cancel := context.WithCancel(background)
	_, client := fake(t, func(net.Conn, request) { cancel() }, WithTimeout(time.Hour))
	if got := client.Evaluate(gone, "f", "u", nil, nil); got.Error != Timeout {
		t.Errorf("got %+v", got)
	}
}

type angry struct{}

func (angry) MarshalJSON() ([]byte, error) { panic("the caller's own") }

func TestNothingIsRaised(t *testing.T) {
	_, client := fake(t, says(answering("true")), patient)
	for _, value := range []any{math.NaN(), make(chan int), angry{}} {
		if got := client.Evaluate(background, "f", "u", Attributes{"a": value}, nil); got.Error != InvalidContext {
			t.Errorf("got %+v", got)
		}
	}
	if got := client.Evaluate(background, "", "u", nil, nil); got.Error != FlagNotFound {
		t.Errorf("got %+v", got)
	}
	var none context.Context
	if got := client.Evaluate(none, "\xff", "\xff", nil, nil); got.Error != "" {
		t.Errorf("got %+v", got)
	}
	client.Close()
	client.Close()
	client.Success("f", 0)
	if got := client.Evaluate(background, "f", "u", nil, nil); got.Error != Closed {
		t.Errorf("got %+v", got)
	}
}

func TestSettingsThatCannotBeRight(t *testing.T) {
	for _, option := range []Option{
		WithURL("https://127.0.0.1:1"), WithURL("127.0.0.1:1"), WithURL("http://"), WithURL("http://h:99999"), WithURL("unix:"),
		WithURL(""), WithURL("http://h/path"), WithProxyURL("unix:/p"), WithProxyURL(""), WithTimeout(0), WithTimeout(-1),
		WithFlushInterval(0), WithMaxOutcomes(0), WithToken("a\nb"),
	} {
		if _, err := New(option); err == nil {
			t.Error("expected an error")
		}
	}
	t.Setenv("TAILSLIDE_FLAGS_URL", "ftp://h")
	if _, err := New(); err == nil {
		t.Error("expected an error")
	}
}

func TestSettingsOfTheEnvironment(t *testing.T) {
	t.Setenv("TAILSLIDE_FLAGS_URL", "")
	t.Setenv("TAILSLIDE_PROXY_URL", "http://proxy:1")
	client, err := New()
	if err != nil || client.ProxyURL("p") != "http://proxy:1/p" || client.ProxyURL("") != "http://proxy:1" {
		t.Errorf("%v", err)
	}
	if client.address != "127.0.0.1:4141" {
		t.Error(client.address)
	}
}

func TestWarnsOnceAMinute(t *testing.T) {
	lines := make(chan string, 10)
	logger := slog.New(slog.NewTextHandler(writer(func(text []byte) { lines <- string(text) }), nil))
	_, client := fake(t, says(response(500, "", "")), patient, WithLogger(logger), WithToken("secret-token"))
	for range [3]int{} {
		client.IsActive(background, "f", "u", Attributes{"a": "secret"}, false)
	}
	if line := <-lines; !strings.Contains(line, "level=WARN") || !strings.Contains(line, "count=1") || strings.Contains(line, "secret") {
		t.Error(line)
	}
	client.mu.Lock()
	client.questions.next = time.Time{}
	client.mu.Unlock()
	client.IsActive(background, "f", "u", nil, false)
	if line := <-lines; !strings.Contains(line, "count=3") {
		t.Error(line)
	}
}

type writer func([]byte)

func (w writer) Write(text []byte) (int, error) {
	w(text)
	return len(text), nil
}

func TestHTTPClientUsesTheProxy(t *testing.T) {
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, asked *http.Request) {
		fmt.Fprint(w, asked.RequestURI, " ", asked.Host)
	}))
	defer proxy.Close()
	client := newClient(t, "http://127.0.0.1:1", WithProxyURL(proxy.URL))
	answer, err := client.HTTPClient().Get("http://payments.internal/pay?a=1")
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil || string(body) != "http://payments.internal/pay?a=1 payments.internal" {
		t.Errorf("%v %s", err, body)
	}
}

func BenchmarkIsActive(b *testing.B) {
	s, client := fake(b, func(connection net.Conn, asked request) { says(answering("true"))(connection, asked) }, patient)
	b.ReportAllocs()
	for i := 0; i < b.N; i++ {
		client.IsActive(background, "f", "user-42", Attributes{"country": "DE"}, false)
		<-s.requests
	}
}
