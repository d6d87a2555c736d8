package claim

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"reflect"
	"slices"
)

// note is what a job writes down of one lock, for its later steps.
type note struct {
	Key
	mark

	// Seal shows that the mark was made with the token of the job. Without it
	// a note only says where to look.
	Seal string `json:"seal,omitempty"`
}

// mark is where a lock is that a job has, and what the job leaves to the next.
type mark struct {
	position         // of one on a ref
	Places   []int64 `json:"places,omitempty"` // of one by Deployments
	Dead     []int64 `json:"dead,omitempty"`   // runs that did not give that one back
	legacy
}

// notes is a file of the locks that a job may have, one note a line. Of two about
// one key the later counts.
//
// Another program of the job may write to it, too. So who has a lock is read from
// GitHub, unless a note is sealed: it cannot release what is not the job's.
type notes struct{ path string }

// add appends a note, unless it says nothing new.
func (n notes) add(one note) error {
	known, err := n.find(one.Key)
	if err != nil || known != nil && reflect.DeepEqual(*known, one) {
		return err
	}
	line, err := json.Marshal(one)
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

// find returns the note about k, or nil.
func (n notes) find(k Key) (*note, error) {
	known, err := n.read()
	if at := slices.IndexFunc(known, func(one note) bool { return one.Key == k }); at >= 0 {
		return &known[at], err
	}
	return nil, err
}

// read returns the last note about each key. A line that was cut off is of a
// lock that was not asked for yet.
func (n notes) read() ([]note, error) {
	content, err := os.ReadFile(n.path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("reading which locks are held: %w", err)
	}
	var known []note
	for line := range bytes.Lines(content) {
		var one note
		if json.Unmarshal(line, &one) != nil {
			continue
		}
		if at := slices.IndexFunc(known, func(other note) bool { return other.Key == one.Key }); at >= 0 {
			known[at] = one
		} else {
			known = append(known, one)
		}
	}
	return known, nil
}

// clear forgets everything.
func (n notes) clear() error {
	if err := os.Remove(n.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("forgetting which locks were held: %w", err)
	}
	return nil
}
