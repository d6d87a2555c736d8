package local

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
)

// rung is one way to isolate a process. They are tried from the best to the
// worst until this machine permits one.
type rung string

const (
	// namespaces is for root: mount, process and IPC namespaces of its own,
	// the image's files as root folder, few capabilities.
	namespaces rung = "namespaces"

	// userNamespaces is the same for other users: root of the namespace has
	// no rights outside.
	userNamespaces rung = "user namespaces"

	// changedRoot is for root where namespaces are forbidden: the image's
	// files as root folder, few capabilities.
	changedRoot rung = "changed root"

	// inPlace isolates nothing: the program of the image runs with this
	// machine's root folder.
	inPlace rung = "in place"
)

// ownProcesses reports whether everything in the sandbox ends with its first
// process.
func (r rung) ownProcesses() bool { return r == namespaces || r == userNamespaces }

// sandbox is a program and where it runs. Paths in it but Root are those of
// the image.
type sandbox struct {
	Root    string   `json:"root"` // the image's files; set when it is entered
	Rung    rung     `json:"rung"`
	Dir     string   `json:"dir"`
	Command []string `json:"command"`
	Env     []string `json:"env"`
	User    user     `json:"user"`

	// OneUser says that this process cannot change its user: it is another
	// already, or nobody else exists in its namespace.
	OneUser bool `json:"one_user,omitempty"`
}

// envMark is a variable with a value that only the processes of one deployment
// have. By it those are found that outlived their supervisor.
const envMark = "DEPLOY_ACTION_MARK"

// report is what an entering process says before it becomes the program.
type report struct {
	Notes []string `json:"notes,omitempty"` // what could not be had

	// Error is why the program did not start; Isolation says that another
	// rung could fare better.
	Error     string `json:"error,omitempty"`
	Isolation bool   `json:"isolation,omitempty"`
}

// isolationError says that a rung is not permitted here.
type isolationError struct {
	rung rung
	err  error
}

// Error implements error.
func (e *isolationError) Error() string { return fmt.Sprintf("isolating by %s: %v", e.rung, e.err) }

// Unwrap returns the cause.
func (e *isolationError) Unwrap() error { return e.err }

// The descriptors that an entering process gets beside the usual three.
const (
	enterSpec   = 3 // it reads its sandbox
	enterReport = 4 // it writes reports; closed when the program starts
)

// start starts the program with cmd, which runs the helper verb enter and is
// complete but for that. The caller waits for cmd. It must be locked to a
// thread that lives as long as the program: the program ends with the thread.
func (s sandbox) start(cmd *exec.Cmd) (notes []string, err error) {
	s.OneUser = os.Geteuid() != 0
	specReader, specWriter, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer specWriter.Close() // only after the report: its end means that we are gone
	reportReader, reportWriter, err := os.Pipe()
	if err != nil {
		specReader.Close()
		return nil, err
	}
	defer reportReader.Close()

	cmd.ExtraFiles = []*os.File{specReader, reportWriter}
	cmd.SysProcAttr = s.attributes()
	err = cmd.Start()
	specReader.Close()
	reportWriter.Close()
	if err != nil {
		return nil, &isolationError{s.Rung, err}
	}
	if err := json.NewEncoder(specWriter).Encode(s); err != nil && !errors.Is(err, syscall.EPIPE) {
		return nil, errors.Join(err, cmd.Process.Kill(), cmd.Wait())
	}
	notes, err = s.readReports(reportReader)
	if err != nil {
		// Its exit status says no more than its report.
		_ = cmd.Wait()
	}
	return notes, err
}

// readReports reads until the program has started.
func (s sandbox) readReports(from io.Reader) (notes []string, err error) {
	decoder := json.NewDecoder(from)
	for {
		var r report
		if err := decoder.Decode(&r); errors.Is(err, io.EOF) {
			return notes, nil
		} else if err != nil {
			return notes, fmt.Errorf("starting %q: %w", s.Command, err)
		}
		notes = append(notes, r.Notes...)
		switch {
		case r.Isolation:
			return notes, &isolationError{s.Rung, errors.New(r.Error)}
		case r.Error != "":
			return notes, fmt.Errorf("starting %q: %s", s.Command, r.Error)
		}
	}
}

// enterSandbox turns this process into the program. It returns only where that
// was not possible; why is reported to the parent, not returned.
func enterSandbox() error {
	runtime.LockOSThread() // what follows sets some things for one thread only
	spec, reports := os.NewFile(enterSpec, "spec"), os.NewFile(enterReport, "report")
	syscall.CloseOnExec(enterSpec)
	syscall.CloseOnExec(enterReport)
	closeInherited()
	var s sandbox
	if err := json.NewDecoder(spec).Decode(&s); err != nil {
		return fmt.Errorf("reading the sandbox: %w", err)
	}
	say := json.NewEncoder(reports)
	notes, err := s.isolate()
	if err != nil {
		return say.Encode(report{Error: err.Error(), Isolation: true})
	}
	if err := say.Encode(report{Notes: notes}); err != nil {
		return err
	}
	return say.Encode(report{Error: s.become(spec).Error()})
}

// find returns the path of the program. Below prefix are the files that the
// program will see.
func (s sandbox) find(prefix string) (string, error) {
	name := s.Command[0]
	if strings.Contains(name, "/") {
		if !strings.HasPrefix(name, "/") {
			name = s.Dir + "/" + name
		}
		return prefix + name, executable(prefix + name)
	}
	var path string
	for _, variable := range s.Env {
		if value, ok := strings.CutPrefix(variable, "PATH="); ok {
			path = value
		}
	}
	for dir := range strings.SplitSeq(path, ":") {
		candidate := prefix + dir + "/" + name
		if strings.HasPrefix(dir, "/") && executable(candidate) == nil {
			return candidate, nil
		}
	}
	return "", fmt.Errorf("no program %q in the image's PATH (%s)", name, path)
}

// executable returns why path cannot be run, as far as that shows.
func executable(path string) error {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return err
	case info.IsDir():
		return fmt.Errorf("%s is a folder", path)
	case info.Mode()&0o111 == 0:
		return fmt.Errorf("%s is not executable", path)
	}
	return nil
}
