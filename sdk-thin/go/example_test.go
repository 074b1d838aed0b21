package tailslide_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	tailslide "github.com/tailslide/tailslide/sdk-thin/go"
)

// standIn answers as a sidecar does: "new-checkout" is on, "button-color" is "green".
func standIn() *httptest.Server {
	return httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, asked *http.Request) {
		switch {
		case strings.HasSuffix(asked.URL.Path, "/outcomes"):
			w.WriteHeader(http.StatusAccepted)
		case strings.HasSuffix(asked.URL.Path, "/button-color"):
			_, _ = io.WriteString(w, `{"value":"green","variant":"green","reason":"SPLIT","metadata":{"active":true}}`)
		default:
			_, _ = io.WriteString(w, `{"value":true,"variant":"on","reason":"SPLIT","metadata":{"active":true}}`)
		}
	}))
}

func newCheckout() (string, error) { return "a new order", nil }

func oldCheckout() (string, error) { return "an order", nil }

func Example() {
	sidecar := standIn()
	defer sidecar.Close()

	flags, err := tailslide.New(tailslide.WithURL(sidecar.URL), tailslide.WithTimeout(time.Second))
	if err != nil {
		log.Fatal(err)
	}
	defer flags.Close()

	ctx := context.Background()
	germany := tailslide.Attributes{"country": "DE"}
	var order string
	if flags.IsActive(ctx, "new-checkout", "user-42", germany, false) {
		order, err = tailslide.Guard(flags, "new-checkout", newCheckout, nil)
	} else {
		order, err = oldCheckout()
	}
	color := flags.StringValue(ctx, "button-color", "user-42", germany, "blue")
	fmt.Println(order, err, color, flags.Flush(ctx))
	// Output: a new order <nil> green true
}

func ExampleClient_Evaluate() {
	sidecar := standIn()
	defer sidecar.Close()
	flags, err := tailslide.New(tailslide.WithURL(sidecar.URL), tailslide.WithTimeout(time.Second))
	if err != nil {
		log.Fatal(err)
	}
	defer flags.Close()

	color := flags.Evaluate(context.Background(), "button-color", "user-42", nil, 7)
	fmt.Println(color.Value, color.Reason, color.Error)
	// Output: 7 ERROR TYPE_MISMATCH
}
