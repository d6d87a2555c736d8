package app

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/deploy-action/deploy-action/internal/report"
	"github.com/deploy-action/deploy-action/internal/state/runstore"
)

// changesPath is the file in which a step leaves to the post step what is to
// become of Deployments. It lies beside the journal, out of reach of builds.
func (m *machine) changesPath() (string, error) {
	journal, err := runstore.JournalPath(m.getenv)
	return strings.TrimSuffix(journal, ".journal") + ".deployments", err
}

// leaveChanges adds to what is left to the post step. The steps of a job share
// it.
func (m *machine) leaveChanges(changes []report.Change) error {
	if len(changes) == 0 {
		return nil
	}
	path, err := m.changesPath()
	if err != nil {
		return err
	}
	var lines bytes.Buffer
	for _, c := range changes {
		if err := json.NewEncoder(&lines).Encode(c); err != nil {
			return err
		}
	}
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(lines.Bytes())
	return errors.Join(err, f.Close())
}

// takeChanges returns what steps have left, and removes it. A last line that was
// cut off is none.
func (m *machine) takeChanges() ([]report.Change, error) {
	path, err := m.changesPath()
	if err != nil {
		return nil, err
	}
	content, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading what is left to the post step: %w", err)
	}
	var changes []report.Change
	for line := range bytes.Lines(content) {
		var c report.Change
		if json.Unmarshal(line, &c) == nil {
			changes = append(changes, c)
		}
	}
	return changes, os.Remove(path)
}
