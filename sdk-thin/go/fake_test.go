package tailslide

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

var (
	background = context.Background()
	patient    = WithTimeout(10 * time.Second) // for questions that are to be answered, however busy the machine
	rarely     = WithFlushInterval(time.Hour)  // for outcomes that the test itself flushes
)

// sidecar is a fake that answers each request on raw sockets as its handle says.
type sidecar struct {
	net.Listener
	accepted atomic.Int32
	serving  atomic.Int32
	requests chan request
	handle   func(net.Conn, request)

	mu          sync.Mutex
	connections []net.Conn
}

type request struct {
	*http.Request
	body string
}

type handle = func(net.Conn, request)

func newSidecar(t testing.TB, network, address string, answers handle) *sidecar {
	t.Helper()
	listener, err := net.Listen(network, address)
	if err != nil {
		t.Fatal(err)
	}
	s := &sidecar{Listener: listener, requests: make(chan request, 1000), handle: answers}
	go s.serve()
	t.Cleanup(func() {
		s.Close()
		s.dropConnections()
	})
	return s
}

func (s *sidecar) serve() {
	for {
		connection, err := s.Accept()
		if err != nil {
			return
		}
		s.accepted.Add(1)
		s.serving.Add(1)
		s.mu.Lock()
		s.connections = append(s.connections, connection)
		s.mu.Unlock()
		go s.answer(connection)
	}
}

func (s *sidecar) answer(connection net.Conn) {
	defer s.serving.Add(-1)
	defer connection.Close()
	reader := bufio.NewReader(connection)
	for {
		asked, err := http.ReadRequest(reader)
		if err != nil {
			return
		}
		body, err := io.ReadAll(asked.Body)
		if err != nil {
			return
		}
		s.requests <- request{asked, string(body)}
		s.handle(connection, request{asked, string(body)})
	}
}

func (s *sidecar) dropConnections() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, connection := range s.connections {
		connection.Close()
	}
	s.connections = nil
}

func says(text string) handle {
	return func(connection net.Conn, _ request) { _, _ = io.WriteString(connection, text) }
}

func saysAndEnds(text string) handle {
	return func(connection net.Conn, _ request) {
		_, _ = io.WriteString(connection, text)
		connection.Close()
	}
}

func response(status int, headers, body string) string {
	return fmt.Sprintf("HTTP/1.1 %d Status\r\nContent-Length: %d\r\n%s\r\n%s", status, len(body), headers, body)
}

func ofrep(value string) string {
	return `{"key":"f","value":` + value + `,"variant":"v","reason":"STATIC","metadata":{"active":true,"version":7}}`
}

func answering(value string) string { return response(200, "", ofrep(value)) }

// fake returns a sidecar and a client of it.
func fake(t testing.TB, answers handle, options ...Option) (*sidecar, *Client) {
	t.Helper()
	s := newSidecar(t, "tcp", "127.0.0.1:0", answers)
	return s, newClient(t, "http://"+s.Addr().String(), options...)
}

func newClient(t testing.TB, address string, options ...Option) *Client {
	t.Helper()
	quiet := slog.New(slog.NewTextHandler(io.Discard, nil))
	client, err := New(append([]Option{WithURL(address), WithLogger(quiet)}, options...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return client
}

func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !holds(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("waited in vain for ", what)
		}
	}
}
