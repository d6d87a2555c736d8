package claim

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
)

// notes is a file that lists the keys that a job may have locked, one a line.
// Who holds a lock is always read from GitHub: these only say where to look, so
// that somebody who writes to the file cannot release what is not the job's.
type notes struct{ path string }

// add notes k, unless it is there.
func (n notes) add(k Key) error {
	known, err := n.read()
	if err != nil || slices.Contains(known, k) {
		return err
	}
	line, err := json.Marshal(k)
	if err != nil {
		return fmt.Errorf("noting a lock: %w", err)
	}
	file, err := os.OpenFile(n.path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return fmt.Errorf("noting a lock: %w", err)
	}
	_, err = file.Write(append(line, '\n'))
	return errors.Join(err, file.Close())
}

// read returns what is noted. A line that was cut off is of a lock that was not
// asked for yet.
func (n notes) read() ([]Key, error) {
	content, err := os.ReadFile(n.path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("reading which locks are held: %w", err)
	}
	var keys []Key
	for line := range bytes.Lines(content) {
		var k Key
		if json.Unmarshal(line, &k) == nil {
			keys = append(keys, k)
		}
	}
	return keys, nil
}

// clear forgets everything.
func (n notes) clear() error {
	if err := os.Remove(n.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("forgetting which locks were held: %w", err)
	}
	return nil
}
