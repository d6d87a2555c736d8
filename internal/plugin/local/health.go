package local

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"time"
)

// checkLimit is how long one health check may take.
const checkLimit = 2 * time.Second

// checkHealth asks once whether something serves at port, and returns why not.
// Without a path a TCP connection is enough.
func checkHealth(ctx context.Context, client *http.Client, port int, path string) error {
	ctx, cancel := context.WithTimeout(ctx, checkLimit)
	defer cancel()
	address := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	if path == "" {
		var dialer net.Dialer
		conn, err := dialer.DialContext(ctx, "tcp", address)
		if err != nil {
			return err
		}
		return conn.Close()
	}
	resp, err := ask(ctx, client, "http://"+address+path)
	if err != nil {
		return err
	}
	if resp.StatusCode < 200 || resp.StatusCode > 399 {
		return fmt.Errorf("GET %s answers %s", path, resp.Status)
	}
	return nil
}

// ask sends one GET on a connection of its own, follows nothing, and returns
// the answer without its body.
func ask(ctx context.Context, client *http.Client, url string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	req.Close = true
	direct := *client
	direct.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	resp, err := direct.Do(req)
	if err != nil {
		return nil, err
	}
	return resp, resp.Body.Close()
}
