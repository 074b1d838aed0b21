package tailslide

import (
	"encoding/json"
	"fmt"
	"net"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
)

func TestRefused(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	listener.Close()
	for _, address := range []string{"http://" + listener.Addr().String(), "unix:/no/such/socket"} {
		client := newClient(t, address, patient)
		if got := client.Evaluate(background, "f", "u", nil, nil); got.Error != Refused {
			t.Errorf("%s: %+v", address, got)
		}
	}
}

func TestUnixSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	newSidecar(t, "unix", path, says(answering("true")))
	if !newClient(t, "unix:"+path, patient).IsActive(background, "f", "u", nil, false) {
		t.Error("expected active")
	}
}

// crowd has count goroutines ask at the same moment: none is answered before all have asked.
func crowd(t *testing.T, count int) (*sidecar, *Client, *sync.Map) {
	var asking sync.WaitGroup
	asking.Add(count)
	var hangsUp sync.Map
	s, client := fake(t, func(connection net.Conn, asked request) {
		var question struct{ Context struct{ TargetingKey string } }
		_ = json.Unmarshal([]byte(asked.body), &question)
		if _, does := hangsUp.Load("now"); does {
			connection.Close()
			return
		}
		asking.Done()
		asking.Wait()
		says(answering(`"`+question.Context.TargetingKey+`"`))(connection, asked)
	}, patient)
	var workers sync.WaitGroup
	for worker := 0; worker < count; worker++ {
		key := fmt.Sprint("user-", worker)
		workers.Add(1)
		go func() {
			defer workers.Done()
			if got := client.Evaluate(background, "f", key, nil, ""); got.Value != key {
				t.Errorf("%s got %+v", key, got)
			}
		}()
	}
	workers.Wait()
	return s, client, &hangsUp
}

func TestConnectionsAreKept(t *testing.T) {
	s, client, _ := crowd(t, 40)
	if s.accepted.Load() != 40 || len(client.kept) != 16 {
		t.Errorf("%d connections, %d kept", s.accepted.Load(), len(client.kept))
	}
	client.Close()
	eventually(t, "the end of all connections", func() bool { return s.serving.Load() == 0 })
}

func TestKeptConnectionsHaveNoGoroutines(t *testing.T) {
	before := runtime.NumGoroutine()
	s, _, _ := crowd(t, 10)
	const listening = 1
	eventually(t, "no more goroutines than the sidecar has", func() bool {
		return runtime.NumGoroutine() <= before+listening+int(s.serving.Load())
	})
	if s.serving.Load() != 10 {
		t.Errorf("%d connections", s.serving.Load())
	}
}

func TestClosedClientKeepsNoConnection(t *testing.T) {
	closed := make(chan struct{})
	s, client := fake(t, func(c net.Conn, asked request) {
		<-closed
		says(answering("true"))(c, asked)
	}, patient)
	asked := make(chan Evaluation)
	go func() { asked <- client.Evaluate(background, "f", "u", nil, nil) }()
	<-s.requests
	client.Close()
	close(closed)
	if got := <-asked; got.Error != "" {
		t.Errorf("got %+v", got)
	}
	eventually(t, "the end of the connection", func() bool { return s.serving.Load() == 0 })
}

func TestOneSecondTry(t *testing.T) {
	s, client, hangsUp := crowd(t, 10)
	s.dropConnections()
	hangsUp.Store("now", true)
	if got := client.Evaluate(background, "f", "u", nil, nil); got.Error != Broken {
		t.Errorf("got %+v", got)
	}
	if s.accepted.Load() != 11 || len(client.kept) != 9 {
		t.Errorf("%d connections, %d kept", s.accepted.Load(), len(client.kept))
	}
}

func TestKeptConnectionThatEndedIsLeftForANewOne(t *testing.T) {
	s, client := fake(t, says(answering("true")), patient)
	for question := int32(1); question <= 3; question++ {
		if got := client.Evaluate(background, "f", "u", nil, nil); got.Error != "" {
			t.Errorf("got %+v", got)
		}
		if s.accepted.Load() != question {
			t.Errorf("%d connections", s.accepted.Load())
		}
		s.dropConnections()
	}
}
