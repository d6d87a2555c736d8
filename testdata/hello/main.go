// Command hello is the app of the README's first command: a web server that
// says hello and since when it has been running.
package main

import (
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"time"
)

func main() {
	port := os.Getenv("PORT")
	if port == "" {
		port = "3000"
	}
	started := time.Now().Format("15:04:05.000")
	http.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, "Hello from deploy-action! I have been running since %s.\n", started)
	})
	log.Printf("listening on port %s", port)
	log.Fatal(http.ListenAndServe(net.JoinHostPort("", port), nil))
}
