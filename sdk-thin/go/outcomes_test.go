package tailslide

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"reflect"
	"strings"
	"testing"
	"time"
)

const accepted = "HTTP/1.1 202 Accepted\r\nContent-Length: 2\r\n\r\n{}"

func reports(t *testing.T, asked request) []outcome {
	t.Helper()
	var list []outcome
	if err := json.Unmarshal([]byte(asked.body), &list); err != nil {
		t.Fatal(err)
	}
	return list
}

func TestOutcomesAreSentTogether(t *testing.T) {
	s, client := fake(t, says(accepted))
	before := time.Now().UnixMilli()
	client.Success("a/b", 1500*time.Microsecond)
	client.Failure("a/b", 0)
	client.Success("a/b", -1)
	asked := <-s.requests
	if asked.RequestURI != "/v1/flags/a%2Fb/outcomes" {
		t.Error(asked.RequestURI)
	}
	list := reports(t, asked)
	if len(list) != 3 || list[0].Outcome != "success" || list[0].Latency != 1.5 || list[1].Outcome != "failure" ||
		list[0].Began < before-2 || list[0].Began > before+100 || strings.Count(asked.body, "latency_ms") != 1 {
		t.Errorf("%s", asked.body)
	}
	eventually(t, "counts", func() bool { return client.Stats().OutcomesSent == 3 && client.Stats().OutcomesWaiting == 0 })
}

func TestThousandOutcomesDoNotWait(t *testing.T) {
	reported := make(chan struct{})
	s, client := fake(t, func(c net.Conn, asked request) {
		<-reported
		says(accepted)(c, asked)
	}, rarely)
	for range [1000]int{} {
		client.Success("f", 0)
	}
	sizes := []int{len(reports(t, <-s.requests))}
	for range [1500]int{} { // while a flush is under way
		client.Success("f", 0)
	}
	close(reported)
	sizes = append(sizes, len(reports(t, <-s.requests)), len(reports(t, <-s.requests)))
	if !reflect.DeepEqual(sizes, []int{1000, 1000, 500}) {
		t.Error(sizes)
	}
	eventually(t, "counts", func() bool { return client.Stats().OutcomesSent == 2500 })
}

func TestFlushDoesNotTryEachFlagWhenTheSidecarIsAway(t *testing.T) {
	s, client := fake(t, func(c net.Conn, _ request) { c.Close() }, rarely)
	for _, flag := range []string{"a", "b", "c"} {
		client.Success(flag, 0)
	}
	if client.Flush(background) || len(s.requests) != 1 || client.Stats().OutcomesWaiting != 3 {
		t.Errorf("%d requests, %+v", len(s.requests), client.Stats())
	}
}

func TestOutcomesOfAFullBuffer(t *testing.T) {
	s, client := fake(t, says(accepted), rarely, WithMaxOutcomes(3))
	for index := 1; index <= 5; index++ {
		client.Success("f", time.Duration(index)*time.Millisecond)
	}
	client.Flush(background)
	if list := reports(t, <-s.requests); len(list) != 3 || list[0].Latency != 3 {
		t.Errorf("%+v", list)
	}
	if stats := client.Stats(); stats.OutcomesDropped != 2 || stats.OutcomesSent != 3 {
		t.Errorf("%+v", stats)
	}
}

func TestWhatTheSidecarSaysOfOutcomes(t *testing.T) {
	for status, expected := range map[int]Stats{
		500: {OutcomesWaiting: 1}, 429: {OutcomesWaiting: 1}, 503: {OutcomesWaiting: 1},
		400: {OutcomesRefused: 1}, 401: {OutcomesRefused: 1}, 202: {OutcomesSent: 1},
	} {
		_, client := fake(t, says(response(status, "", "{}")), rarely)
		client.Success("f", 0)
		allSent := client.Flush(background)
		expected.Defaults = map[ErrorCode]int64{}
		if stats := client.Stats(); allSent != (status == 202) || !reflect.DeepEqual(stats, expected) {
			t.Errorf("%d: %v %+v", status, allSent, stats)
		}
	}
}

func TestRetryAfter(t *testing.T) {
	s, client := fake(t, func(connection net.Conn, asked request) {
		if strings.Contains(asked.RequestURI, "busy") {
			says(response(429, "Retry-After: 60\r\n", ""))(connection, asked)
			return
		}
		says(accepted)(connection, asked)
	}, rarely)
	client.Success("busy", 0)
	for range [3]int{} {
		client.Success("other", 0)
		if client.Flush(background) {
			t.Error("expected that not all was sent")
		}
	}
	if stats := client.Stats(); stats.OutcomesWaiting != 1 || stats.OutcomesSent != 3 || len(s.requests) != 4 {
		t.Errorf("%+v %d", stats, len(s.requests))
	}
}

func TestOldOutcomesAreDropped(t *testing.T) {
	_, client := fake(t, says(accepted), rarely)
	client.Success("f", 0)
	client.Success("f", 0)
	client.mu.Lock()
	client.waiting[0].reported = time.Now().Add(-outcomeLifetime - time.Millisecond)
	client.mu.Unlock()
	if stats := client.Stats(); client.Flush(background) || client.Stats().OutcomesDropped != 1 || client.Stats().OutcomesSent != 1 {
		t.Errorf("%+v", stats)
	}
}

func TestFlushKeepsItsDeadline(t *testing.T) {
	_, client := fake(t, says(""), rarely)
	client.Success("f", 0)
	ctx, cancel := context.WithTimeout(background, 50*time.Millisecond)
	defer cancel()
	if client.Flush(ctx) || client.Stats().OutcomesWaiting != 1 {
		t.Errorf("%+v", client.Stats())
	}
}

func TestCloseSendsWhatWaits(t *testing.T) {
	s, client := fake(t, says(accepted), rarely)
	client.Success("f", 0)
	client.Close()
	if len(s.requests) != 1 || client.Stats().OutcomesSent != 1 {
		t.Errorf("%+v", client.Stats())
	}
}

func TestGuard(t *testing.T) {
	s, client := fake(t, says(accepted), rarely)
	own := errors.New("the block's own")
	outcomeOf := func() outcome {
		client.Flush(background)
		return reports(t, <-s.requests)[0]
	}
	type predicate = func(string, error) bool
	for name, each := range map[string]struct {
		err      error
		failed   predicate
		expected string
	}{
		"returns":             {nil, nil, "success"},
		"error":               {own, nil, "failure"},
		"result fails":        {nil, func(result string, _ error) bool { return result == "r" }, "failure"},
		"error is no failure": {own, func(_ string, err error) bool { return !errors.Is(err, own) }, "success"},
		"predicate panics":    {nil, func(string, error) bool { panic("the predicate's own") }, "success"},
	} {
		result, err := Guard(client, "f", func() (string, error) { return "r", each.err }, each.failed)
		if got := outcomeOf(); result != "r" || err != each.err || got.Outcome != each.expected {
			t.Errorf("%s: %v %v %+v", name, result, err, got)
		}
	}
	func() {
		defer func() {
			if thrown := recover(); thrown != "the block's own" {
				t.Errorf("recovered %v", thrown)
			}
		}()
		_, _ = Guard(client, "f", func() (int, error) { time.Sleep(5 * time.Millisecond); panic("the block's own") }, nil)
	}()
	if got := outcomeOf(); got.Outcome != "failure" || got.Latency < 5 {
		t.Errorf("%+v", got)
	}
}

// The flush outlasts the second that Close takes.
func TestFlushUnderWayWhenTheClientIsClosed(t *testing.T) {
	s, client := fake(t, func(c net.Conn, asked request) {
		time.Sleep(700 * time.Millisecond)
		says(response(503, "", ""))(c, asked)
	}, WithFlushInterval(time.Millisecond))
	client.Success("a", 0)
	client.Success("b", 0)
	<-s.requests
	client.Close()
	eventually(t, "no outcome that waits", func() bool { return client.Stats().OutcomesWaiting == 0 })
	if stats := client.Stats(); stats.OutcomesDropped != 2 {
		t.Errorf("%+v", stats)
	}
}

func TestOutcomesThatCouldNotBeSentAreSentByThemselves(t *testing.T) {
	answers := make(chan string, 2)
	answers <- response(503, "", "")
	answers <- accepted
	_, client := fake(t, func(c net.Conn, asked request) { says(<-answers)(c, asked) }, WithFlushInterval(time.Millisecond))
	client.Failure("f", 0)
	eventually(t, "the second flush", func() bool { return client.Stats().OutcomesSent == 1 })
}
