// Go's own HTTP client, told to go through the scenarios of tests/support/proxy_origin.py and to print what it was answered.
//
//	client scenarios URL       every scenario once, over connections that are kept
//	client bodies URL SIZE     a large body down, and up in both framings
//
// One JSON object a line; what it means is in the README of this folder.
package main

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"os"
	"sort"
	"strconv"
	"strings"
	"time"
)

const block = 65536

type field [2]string

type interim struct {
	Status  int     `json:"status"`
	Headers []field `json:"headers"`
}

type result struct {
	Scenario    string    `json:"scenario"`
	Status      int       `json:"status"`
	Reason      string    `json:"reason"`
	Headers     []field   `json:"headers"`
	Trailers    []field   `json:"trailers"`
	Interim     []interim `json:"interim"`
	Length      int64     `json:"length"`
	Sha256      string    `json:"sha256"`
	Text        string    `json:"text"`
	Sent        int64     `json:"sent"`
	Connections int       `json:"connections"`
	Error       string    `json:"error"`
}

type call struct {
	method, target string
	headers        http.Header
	body           io.Reader
	length         int64 // -1: in chunks
	trailer        http.Header
	event          func()
}

var (
	base   string
	client = &http.Client{Transport: &http.Transport{DisableCompression: true, ExpectContinueTimeout: 20 * time.Second}}
)

// counted counts what the transport has taken of a body, and has the trailers ready at its end.
type counted struct {
	io.Reader
	sent  int64
	atEnd func()
}

func (body *counted) Read(into []byte) (int, error) {
	n, err := body.Reader.Read(into)
	body.sent += int64(n)
	if err == io.EOF && body.atEnd != nil {
		body.atEnd()
	}
	return n, err
}

// large makes the body that proxy_origin.large_body describes.
type large struct {
	size, at int64
	template [block]byte
}

func newLarge(size int64) *large {
	body := &large{size: size}
	for place := range body.template {
		body.template[place] = byte((place*167 + 13) % 251)
	}
	return body
}

func (body *large) Read(into []byte) (int, error) {
	if body.at == body.size {
		return 0, io.EOF
	}
	binary.BigEndian.PutUint64(body.template[:8], uint64(body.at/block))
	within := body.at % block
	until := within + body.size - body.at
	if until > block {
		until = block
	}
	n := copy(into, body.template[within:until])
	body.at += int64(n)
	return n, nil
}

// latin1 keeps each byte as one character, whether or not the bytes are UTF-8.
func latin1(text string) string {
	var kept strings.Builder
	for _, octet := range []byte(text) {
		kept.WriteRune(rune(octet))
	}
	return kept.String()
}

func fields(from map[string][]string) []field {
	listed := []field{}
	for name, values := range from {
		for _, value := range values {
			listed = append(listed, field{name, latin1(value)})
		}
	}
	sort.SliceStable(listed, func(a, b int) bool { return listed[a][0] < listed[b][0] })
	return listed
}

func exchange(scenario string, asked call) result {
	told := result{Scenario: scenario, Headers: []field{}, Trailers: []field{}, Interim: []interim{}}
	trace := &httptrace.ClientTrace{
		GotConn: func(info httptrace.GotConnInfo) {
			if !info.Reused {
				told.Connections++
			}
		},
		Got1xxResponse: func(status int, header textproto.MIMEHeader) error {
			told.Interim = append(told.Interim, interim{status, fields(header)})
			return nil
		},
	}
	limit, cancel := context.WithTimeout(context.Background(), 300*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(httptrace.WithClientTrace(limit, trace), asked.method, base+asked.target, nil)
	if err != nil {
		told.Error = err.Error()
		return told
	}
	for name, values := range asked.headers {
		request.Header[name] = values // not canonicalised
	}
	request.Header["X-User-Id"] = []string{"u1"}
	var body *counted
	if asked.body != nil {
		body = &counted{Reader: asked.body}
		request.Body, request.ContentLength = io.NopCloser(body), asked.length
		if asked.trailer != nil {
			request.Trailer = http.Header{}
			for name := range asked.trailer {
				request.Trailer[name] = nil
			}
			body.atEnd = func() {
				for name, values := range asked.trailer {
					request.Trailer[name] = values
				}
			}
		}
	}
	answer, err := client.Do(request)
	if err != nil {
		told.Error = err.Error()
		return told
	}
	defer answer.Body.Close()
	told.Status, told.Reason = answer.StatusCode, latin1(strings.TrimPrefix(answer.Status, strconv.Itoa(answer.StatusCode)+" "))
	told.Headers = fields(answer.Header)
	for _, coding := range answer.TransferEncoding {
		told.Headers = append(told.Headers, field{"Transfer-Encoding", coding})
	}
	digest, text, buffer := sha256.New(), []byte{}, make([]byte, 4*block)
	for {
		n, err := answer.Body.Read(buffer)
		digest.Write(buffer[:n])
		told.Length += int64(n)
		if told.Length <= 2000 {
			text = append(text, buffer[:n]...)
		}
		if asked.event != nil {
			for left := strings.Count(string(buffer[:n]), "\n\n"); left > 0; left-- {
				asked.event()
			}
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			told.Error = err.Error()
			return told
		}
	}
	told.Sha256 = hex.EncodeToString(digest.Sum(nil))
	if told.Length == int64(len(text)) {
		told.Text = latin1(string(text))
	}
	told.Trailers = fields(answer.Trailer)
	if body != nil {
		told.Sent = body.sent
	}
	return told
}

func say(told result) {
	line, err := json.Marshal(told)
	if err != nil {
		panic(err)
	}
	fmt.Println(string(line))
}

func get(target string) call { return call{method: "GET", target: target} }

func with(asked call, name string, values ...string) call {
	if asked.headers == nil {
		asked.headers = http.Header{}
	}
	asked.headers[name] = values
	return asked
}

func upload(method, target string, size, length int64) call {
	return call{method: method, target: target, body: newLarge(size), length: length}
}

func scenarios() {
	say(exchange("length", get("/length")))
	say(exchange("chunked", get("/chunked")))
	say(exchange("gzip", with(get("/gzip"), "Accept-Encoding", "gzip")))
	say(exchange("gzip-chunked", with(get("/gzip-chunked"), "Accept-Encoding", "gzip")))
	say(exchange("head", call{method: "HEAD", target: "/length"}))
	say(exchange("head-chunked", call{method: "HEAD", target: "/chunked"}))
	say(exchange("undated", get("/undated")))
	say(exchange("204", get("/204")))
	say(exchange("304", with(get("/304"), "If-None-Match", `"v1"`)))
	say(exchange("not-304", with(get("/304"), "If-None-Match", `"v0"`)))
	say(exchange("set-cookie", get("/set-cookie")))
	say(exchange("early-hints", get("/early-hints")))
	say(exchange("upload-length", upload("PUT", "/upload", 100_000, 100_000)))
	say(exchange("upload-chunked", upload("POST", "/upload", 100_000, -1)))
	say(exchange("upload-empty", call{method: "POST", target: "/upload"}))
	say(exchange("continue", with(upload("PUT", "/continue", 100_000, 100_000), "Expect", "100-continue")))
	say(exchange("continue-chunked", with(upload("POST", "/continue", 100_000, -1), "Expect", "100-continue")))
	say(exchange("refuse-continue", with(upload("PUT", "/refuse-continue", 100_000, 100_000), "Expect", "100-continue")))
	say(exchange("trailers", with(get("/trailers"), "Te", "trailers")))
	trailing := with(upload("POST", "/trailers", 1000, -1), "Te", "trailers")
	trailing.trailer = http.Header{"X-Request-Sum": {"17"}, "X-Request-Note": {"a  b"}}
	say(exchange("trailers-both-ways", trailing))
	odd := with(with(with(get("/odd"), "X-MiXeD-cAsE", "kept"), "X-Empty", ""), "X-Inner", "a \t b,,c")
	odd = with(with(with(odd, "X-Latin", "caf\xe9"), "X-Utf8", "caf\xc3\xa9"), "X-Two", "1", "2")
	say(exchange("odd-headers", with(with(odd, "Cookie", "a=1; b=2"), "Accept-Encoding", "br;q=0.5, gzip")))
	for _, target := range []string{"//a/../b%2f%7E;x?q=%20+&z=?", "/%c3%a9", "/a|b\"c", "/./c/..;/d//", "/x?", "/to/http://h:1/x?u=http://g/"} {
		say(exchange("target "+target, get(target)))
	}
	run := strconv.FormatInt(time.Now().UnixNano(), 36)
	events := get("/events?run=" + run)
	events.event = func() { exchange("", call{method: "POST", target: "/acknowledge?run=" + run}) }
	say(exchange("events", events))
	pieces, pipe := io.Pipe()
	go func() {
		for n := 0; n < 3; n++ {
			fmt.Fprintf(pipe, "piece %d\n", n)
			if seen := exchange("", get("/paced-seen?run="+run)); seen.Text != "it has come" {
				pipe.CloseWithError(fmt.Errorf("piece %d: %s %s", n, seen.Text, seen.Error))
				return
			}
		}
		pipe.Close()
	}()
	say(exchange("paced-upload", call{method: "POST", target: "/paced-upload?run=" + run, body: pieces, length: -1}))
	say(exchange("close", get("/close")))
	say(exchange("cut", get("/cut")))
	say(exchange("cut-chunked", get("/cut-chunked")))
	sequential := exchange("sequential", get("/sequential"))
	for n := 1; n < 50; n++ {
		next := exchange("sequential", get("/sequential"))
		next.Connections += sequential.Connections
		sequential = next
	}
	say(sequential)
}

func main() {
	base = os.Args[2]
	if os.Args[1] == "scenarios" {
		scenarios()
		return
	}
	size, err := strconv.ParseInt(os.Args[3], 10, 64)
	if err != nil {
		panic(err)
	}
	say(exchange("download", get(fmt.Sprintf("/download?bytes=%d", size))))
	say(exchange("upload-length", upload("PUT", "/upload", size, size)))
	say(exchange("upload-chunked", upload("POST", "/upload", size, -1)))
}
