package httpfake_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/deploy-action/deploy-action/internal/testkit/httpfake"
)

// witness is a test whose failures are kept, not reported.
type witness struct {
	testing.TB
	errors   []string
	cleanups []func()
}

func (w *witness) Helper()           {}
func (w *witness) Cleanup(fn func()) { w.cleanups = append(w.cleanups, fn) }
func (w *witness) Error(args ...any) { w.errors = append(w.errors, fmt.Sprint(args...)) }
func (w *witness) Errorf(format string, args ...any) {
	w.errors = append(w.errors, fmt.Sprintf(format, args...))
}

func (w *witness) end() []string {
	for _, fn := range w.cleanups {
		fn()
	}
	return w.errors
}

func TestFake(t *testing.T) {
	t.Parallel()
	const site = "https://service.test"
	cases := map[string]struct {
		expected []httpfake.Exchange
		use      func(*httpfake.Fake, *http.Client)
		want     []string
	}{
		"expected requests in any order": {
			expected: []httpfake.Exchange{
				{URL: "/a?b=c", Reply: "one"},
				{Method: "POST", URL: site + "/d", Body: `{"e":1}`, Status: http.StatusCreated},
			},
			use: func(_ *httpfake.Fake, c *http.Client) {
				send(c, "POST", site+"/d", "{\"e\":1}\n")
				send(c, "GET", site+"/a?b=c", "")
			},
		},
		"an unexpected request": {
			use: func(_ *httpfake.Fake, c *http.Client) { send(c, "GET", site+"/a", "") },
			want: []string{
				`httpfake: unexpected request GET https://service.test/a with the body ""`,
			},
		},
		"a second request where one is expected": {
			expected: []httpfake.Exchange{{URL: "/a"}},
			use: func(_ *httpfake.Fake, c *http.Client) {
				send(c, "GET", site+"/a", "")
				send(c, "GET", site+"/a", "")
			},
			want: []string{`httpfake: unexpected request GET https://service.test/a with the body ""`},
		},
		"a request with another body": {
			expected: []httpfake.Exchange{{Method: "PUT", URL: "/a", Body: "x"}},
			use:      func(_ *httpfake.Fake, c *http.Client) { send(c, "PUT", site+"/a", "y") },
			want: []string{
				`httpfake: unexpected request PUT https://service.test/a with the body "y"`,
				"httpfake: expected request PUT /a was not sent",
			},
		},
		"an unused exchange": {
			expected: []httpfake.Exchange{{Method: "GET", URL: "/a"}},
			use:      func(*httpfake.Fake, *http.Client) {},
			want:     []string{"httpfake: expected request GET /a was not sent"},
		},
		"a write where only reads are allowed": {
			expected: []httpfake.Exchange{{URL: "/a"}, {Method: "DELETE", URL: "/a"}},
			use: func(f *httpfake.Fake, c *http.Client) {
				end := f.ReadOnly()
				send(c, "GET", site+"/a", "")
				send(c, "DELETE", site+"/a", "")
				end()
				send(c, "DELETE", site+"/a", "")
			},
			want: []string{"httpfake: DELETE https://service.test/a changes something where only reads are allowed"},
		},
		"a check that fails": {
			expected: []httpfake.Exchange{{URL: "/a", Check: func(*http.Request) error { return errors.New("no token") }}},
			use:      func(_ *httpfake.Fake, c *http.Client) { send(c, "GET", site+"/a", "") },
			want:     []string{"httpfake: GET https://service.test/a: no token"},
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := &witness{TB: t}
			f := httpfake.New(w, c.expected...)
			c.use(f, f.Client())
			if diff := cmp.Diff(c.want, w.end()); diff != "" {
				t.Errorf("failures differ (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAnswer(t *testing.T) {
	t.Parallel()
	lost := errors.New("connection reset")
	client := httpfake.New(t,
		httpfake.Exchange{URL: "/a", Status: http.StatusTeapot, Header: http.Header{"X-A": {"b"}}, Reply: "short"},
		httpfake.Exchange{URL: "/b", Err: lost},
	).Client()
	resp, err := client.Get("https://service.test/a")
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusTeapot || resp.Header.Get("X-A") != "b" || string(body) != "short" {
		t.Errorf("the answer is %s %v %q (%v)", resp.Status, resp.Header, body, err)
	}
	resp, err = client.Get("https://service.test/b")
	if !errors.Is(err, lost) {
		t.Errorf("a lost connection gives %v, %v", resp, err)
	}
}

// send makes a request whose outcome only the fake judges.
func send(c *http.Client, method, url, body string) {
	req, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		panic(err) // a mistake in the table
	}
	if resp, err := c.Do(req); err == nil {
		_ = resp.Body.Close() // an answer in memory
	}
}
