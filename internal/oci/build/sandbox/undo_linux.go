package sandbox

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// undo is what puts this container's files back after a command on the rung
// [Swap]. It is kept by the supervisor, in memory, since it can hold what is
// hidden from the command: if the process that runs commands is killed, that one
// does it.
type undo struct {
	Root, Aside, Work string // of the command
	Pinned, Mounts    []string
	Split, Lacks      bool
	Placed            []placed
	Stubs             []stub              // in /dev
	Shown, Hidden     map[string][]byte   // as those of [keptFiles]
	Folders           map[string][]string // the names in them
}

// placed is a [hold] without its secret.
type placed struct {
	Kind           Kind
	Target, Source string
	Path, There    string
}

// newUndo says how to undo what is done before a command starts. Shown are files
// that it sees, and hidden those that it must not read.
func newUndo(root string, w *swapper, p *placer, shown, hidden *keptFiles) *undo {
	u := &undo{
		Root: root, Aside: w.aside, Work: p.hold, Pinned: w.pinned, Mounts: w.mounts, Split: w.split, Lacks: w.lacks,
		Shown: shown.content, Folders: shown.names, Hidden: hidden.content, Stubs: p.here.made,
	}
	for _, h := range p.holds {
		u.Placed = append(u.Placed, placed{h.Kind, h.Target, h.Source, h.path, h.there})
	}
	return u
}

// rescue waits for what whoever started a supervisor has to say, and puts
// everything back if that one was killed.
type rescue struct {
	from *json.Decoder
	back *undo // nil where there is nothing to undo
}

// readRescue reads what [Sandbox.launch] sends.
func readRescue(fd int) (*rescue, error) {
	r := &rescue{from: json.NewDecoder(os.NewFile(uintptr(fd), "undo"))}
	if err := r.from.Decode(&r.back); err != nil {
		return nil, fmt.Errorf("reading what to undo: %w", err)
	}
	return r, nil
}

// end returns when it is known whether the other process is alive, which it says
// after it was told how the command ended.
func (r *rescue) end() error {
	var alive bool
	if err := r.from.Decode(&alive); err == nil || r.back == nil {
		return nil
	}
	return r.back.all()
}

// all puts everything back that is not the command's, whose root is removed.
func (u *undo) all() error {
	alone, err := lockFolder(filepath.Dir(u.Aside))
	if err != nil {
		return err
	}
	defer alone.Close()
	shown, hidden := &keptFiles{u.Shown, u.Folders}, &keptFiles{content: u.Hidden}
	w := &swapper{root: u.Root, aside: u.Aside, pinned: u.Pinned, mounts: u.Mounts, split: u.Split, lacks: u.Lacks, full: true}
	p := newPlacer(u.Root, u.Work)
	p.here.made = u.Stubs
	for _, m := range u.Placed {
		p.holds = append(p.holds, hold{mount: mount{Kind: m.Kind, Target: m.Target, Source: m.Source}, path: m.Path, there: m.There})
	}
	err = errors.Join(shown.restore(), w.out(nil), hidden.restore(), p.remove(), os.Remove(u.Aside))
	return errors.Join(err, os.RemoveAll(u.Work), os.RemoveAll(u.Root))
}
