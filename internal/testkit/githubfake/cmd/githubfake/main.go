// Githubfake serves package githubfake over HTTP, for tests that run the
// program in a real runner. Point GITHUB_API_URL and ACTIONS_RESULTS_URL at
// it, and ACTIONS_RUNTIME_TOKEN at the token that POST /_fake/runs answers.
package main

import (
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/deploy-action/deploy-action/internal/testkit/githubfake"
)

func main() {
	if err := serve(); err != nil {
		fmt.Fprintln(os.Stderr, "githubfake:", err)
		os.Exit(1)
	}
}

func serve() error {
	var o githubfake.Options
	addr := flag.String("addr", "127.0.0.1:0", "address to listen on; port 0 takes a free one")
	flag.StringVar(&o.Dir, "dir", "", "folder that keeps the store; none keeps it in memory")
	flag.StringVar(&o.Repository, "repository", "", "owner/name; none answers for any")
	flag.StringVar(&o.DefaultBranch, "branch", "main", "default branch of the repository")
	flag.DurationVar(&o.Lag, "lag", 0, "until lists of artifacts show a change")
	flag.Parse()

	fake, err := githubfake.New(o)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", *addr)
	if err != nil {
		return err
	}
	// A script that let us choose the port reads it from this line.
	fmt.Printf("http://%s\n", listener.Addr())
	server := &http.Server{Handler: fake, ReadHeaderTimeout: 10 * time.Second}
	return server.Serve(listener)
}
