// Command app is the program in the images of these tests. Its environment and
// its paths make it do what apps do, good and bad.
package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

func main() {
	if len(os.Args) > 1 {
		command(os.Args[1:])
		return
	}
	fmt.Println("version", os.Getenv("VERSION"), "starts")
	if status := os.Getenv("CRASH"); status != "" {
		fmt.Fprintln(os.Stderr, "cannot reach the database")
		code, _ := strconv.Atoi(status)
		os.Exit(code)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:"+os.Getenv("PORT"))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	if os.Getenv("ECHO") != "" {
		echo(listener)
	}
	serve(listener)
}

// command is what Exec runs.
func command(args []string) {
	switch args[0] {
	case "env":
		fmt.Println(os.Getenv(args[1]))
	case "cat":
		io.Copy(os.Stdout, os.Stdin)
	case "rights":
		rights()
	case "exit":
		code, _ := strconv.Atoi(args[1])
		os.Exit(code)
	case "sleep":
		fmt.Println("sleeping")
		time.Sleep(time.Hour)
	}
}

// rights prints who the process is and what it may do beyond that.
func rights() {
	locked, err := unix.PrctlRetInt(unix.PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0)
	if err != nil {
		fmt.Println(err)
	}
	var has [2]unix.CapUserData
	if err := unix.Capget(&unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}, &has[0]); err != nil {
		fmt.Println(err)
	}
	fmt.Println("uid", os.Getuid(), "gid", os.Getgid(), "no_new_privs", locked, "capabilities", has[0].Permitted)
}

func echo(listener net.Listener) {
	for {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		go func() {
			defer conn.Close()
			io.Copy(conn, conn)
		}()
	}
}

func serve(listener net.Listener) {
	release := make(chan struct{})
	handle := func(path string, answer func(*http.Request) string) {
		http.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, answer(r)) })
	}
	handle("/", func(*http.Request) string { return os.Getenv("VERSION") })
	handle("/env", func(r *http.Request) string { return os.Getenv(r.FormValue("name")) })
	handle("/ids", func(*http.Request) string {
		dir, _ := os.Getwd()
		return fmt.Sprint(os.Getuid(), os.Getgid(), " ", dir)
	})
	handle("/file", func(r *http.Request) string {
		data, err := os.ReadFile(r.FormValue("path"))
		if err != nil {
			return err.Error()
		}
		return string(data)
	})
	handle("/log", func(r *http.Request) string { fmt.Println(r.FormValue("text")); return "" })
	handle("/hold", func(*http.Request) string { <-release; return "held by " + os.Getenv("VERSION") })
	handle("/release", func(*http.Request) string { close(release); return "" })
	handle("/exit", func(*http.Request) string { os.Exit(7); return "" })
	handle("/child", func(*http.Request) string {
		child := exec.Command(os.Args[0], "sleep")
		if err := child.Start(); err != nil {
			return err.Error()
		}
		return "started"
	})
	http.HandleFunc("/healthz", func(w http.ResponseWriter, r *http.Request) {
		if os.Getenv("UNHEALTHY") != "" {
			http.Error(w, "no", http.StatusServiceUnavailable)
		}
	})
	http.Serve(listener, nil)
}
