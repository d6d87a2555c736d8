package app

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"sync"

	"github.com/deploy-action/deploy-action/internal/secret"
	"github.com/deploy-action/deploy-action/internal/state"
	"github.com/deploy-action/deploy-action/internal/state/runstore"
)

// told remembers what people were told last of each operation. A step that has
// no time to tell how it ended leaves it to the post step.
type told struct {
	mu   sync.Mutex
	last []state.Record // in the order in which they were told
}

// remember takes the place of what was remembered of the same operation.
func (t *told) remember(r state.Record) {
	t.mu.Lock()
	defer t.mu.Unlock()
	same := func(known state.Record) bool { return known.ID == r.ID }
	t.last = append(slices.DeleteFunc(t.last, same), r)
}

// records returns what is remembered.
func (t *told) records() []state.Record {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Clone(t.last)
}

func sameApp(a, b state.Record) bool {
	return a.Project == b.Project && a.App == b.App && a.Workspace == b.Workspace
}

// untold is a record of an app whose commit status may still say pending, and
// how the step ended.
type untold struct {
	Record state.Record `json:"record"`
	Well   bool         `json:"well"`
}

// untoldPath is the file in which a step leaves to the post step what it had no
// time to tell. It lies beside the journal.
func (m *machine) untoldPath() (string, error) {
	journal, err := runstore.JournalPath(m.getenv)
	return strings.TrimSuffix(journal, ".journal") + ".untold", err
}

// leaveUntold leaves to the post step all that is remembered, without secrets,
// unless there was time to tell it. What an earlier step has left of the same
// apps is over.
func (m *machine) leaveUntold(well, timely bool, secrets *secret.Set) error {
	left, err := m.readUntold()
	if err != nil {
		return err
	}
	records := m.told.records()
	left = slices.DeleteFunc(left, func(u untold) bool {
		return slices.ContainsFunc(records, func(r state.Record) bool { return sameApp(u.Record, r) })
	})
	if timely {
		records = nil
	}
	for _, r := range records {
		r, _ = state.Redact(r, secrets) // the record itself was checked when it was made
		r.Config, r.Result = nil, nil   // no status shows these
		left = append(left, untold{r, well})
	}
	path, err := m.untoldPath()
	if err != nil {
		return err
	}
	if len(left) == 0 {
		return removeIfThere(path)
	}
	content, err := json.Marshal(left)
	if err != nil {
		return fmt.Errorf("leaving statuses to the post step: %w", err)
	}
	// A kill leaves the file as it was, or as it is now.
	if err := os.WriteFile(path+".new", content, 0o600); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

// takeUntold returns what steps have left, and removes it.
func (m *machine) takeUntold() ([]untold, error) {
	left, err := m.readUntold()
	if err != nil {
		return nil, err
	}
	path, err := m.untoldPath()
	if err != nil {
		return nil, err
	}
	return left, removeIfThere(path)
}

func removeIfThere(path string) error {
	if err := os.Remove(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// readUntold returns what steps have left.
func (m *machine) readUntold() ([]untold, error) {
	path, err := m.untoldPath()
	if err != nil {
		return nil, err
	}
	content, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading which statuses are left: %w", err)
	}
	var left []untold
	if err := json.Unmarshal(content, &left); err != nil {
		return nil, fmt.Errorf("reading which statuses are left: %w", err)
	}
	return left, nil
}
