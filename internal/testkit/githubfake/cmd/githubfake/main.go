// Githubfake serves package githubfake over HTTP, for tests that run other
// programs against it. It prints the environment of a job, one NAME=VALUE a line,
// as a runner would give it to an action: where the API and the artifact service
// are, and the tokens for them.
//
// GITHUB_REPOSITORY and GITHUB_RUN_ID say which job that is. Other runs, and what
// else a script needs, come from POST /_fake/runs and its siblings.
package main

import (
	"cmp"
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
	run := flag.Int64("run", 1, "ID of the run whose tokens are printed")
	addr := flag.String("addr", "127.0.0.1:0", "address to listen on; port 0 takes a free one")
	flag.StringVar(&o.Dir, "dir", "", "folder that keeps the store; none keeps it in memory")
	flag.StringVar(&o.Repository, "repository", "", "owner/name; none answers for any")
	flag.StringVar(&o.DefaultBranch, "branch", "main", "default branch of the repository")
	flag.DurationVar(&o.Lag, "lag", 0, "until lists of artifacts show a change")
	flag.StringVar(&o.Seed, "seed", "", "what tokens and signatures are made from, the same each time; none makes new ones")
	flag.Parse()

	fake, err := githubfake.New(o)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", *addr)
	if err != nil {
		return err
	}
	address := "http://" + listener.Addr().String()
	for _, line := range []string{
		"GITHUB_API_URL=" + address, "ACTIONS_RESULTS_URL=" + address + "/", "ACTIONS_RUNTIME_TOKEN=" + fake.Token(*run, ""),
		"GITHUB_TOKEN=ghs_anyTokenMayDoEverything", "GITHUB_REPOSITORY=" + cmp.Or(o.Repository, "acme/shop"),
		fmt.Sprintf("GITHUB_RUN_ID=%d", *run),
	} {
		fmt.Println(line)
	}
	server := &http.Server{Handler: fake, ReadHeaderTimeout: 10 * time.Second}
	return server.Serve(listener)
}
