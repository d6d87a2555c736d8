package sandbox

import (
	"encoding/json"
	"errors"
	"os"
)

// pipes connect this process with the helpers of a run.
type pipes struct {
	theirs             []*os.File // in the order of [specFD] and what follows it
	spec, report, undo *os.File   // our ends
}

func openPipes() (*pipes, error) {
	specReader, specWriter, specErr := os.Pipe()
	reportReader, reportWriter, reportErr := os.Pipe()
	undoReader, undoWriter, undoErr := os.Pipe()
	p := &pipes{[]*os.File{specReader, reportWriter, undoReader}, specWriter, reportReader, undoWriter}
	if err := errors.Join(specErr, reportErr, undoErr); err != nil {
		p.started()
		p.close()
		return nil, err
	}
	return p, nil
}

// started closes what the helper has by now.
func (p *pipes) started() {
	for _, file := range p.theirs {
		file.Close()
	}
}

// send sends what the helpers need. The supervisor reads its part first.
func (p *pipes) send(back *undo, s spec) error {
	if err := json.NewEncoder(p.undo).Encode(back); err != nil {
		return err
	}
	return json.NewEncoder(p.spec).Encode(s)
}

// withhold sends nothing, so that the helpers end.
func (p *pipes) withhold() {
	p.undo.Close()
	p.spec.Close()
}

// alive tells the supervisor that it need not undo anything.
func (p *pipes) alive() {
	_ = json.NewEncoder(p.undo).Encode(true) // it may be gone
}

// close closes our ends. That of the spec tells helpers that we are gone.
func (p *pipes) close() {
	p.spec.Close()
	p.report.Close()
	p.undo.Close()
}
