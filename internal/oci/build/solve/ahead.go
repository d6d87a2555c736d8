package solve

import "io"

var _ io.ReadCloser = (*readAhead)(nil)

// readAhead is content that another goroutine reads.
type readAhead struct {
	content io.Closer
	read    chan piece    // what was read, in order; closed in the end
	unused  chan []byte   // buffers
	stop    chan struct{} // closed when nobody wants more
	current piece
	left    []byte // of current
}

// piece is a part of the content, and what was wrong behind it.
type piece struct {
	data []byte
	err  error
}

// pieces is how many buffers are filled ahead.
const pieces = 4

// ahead reads content while what was read before is used, so that decompressing
// and unpacking go side by side. Closing it closes content.
func ahead(content io.ReadCloser) io.ReadCloser {
	a := &readAhead{content: content, read: make(chan piece, pieces), unused: make(chan []byte, pieces), stop: make(chan struct{})}
	for range pieces {
		a.unused <- make([]byte, copyBuffer)
	}
	go a.fill(content)
	return a
}

// fill reads to the end, or until it is stopped.
func (a *readAhead) fill(content io.Reader) {
	defer close(a.read)
	for {
		select {
		case <-a.stop:
			return
		case buffer := <-a.unused:
			var next piece
			for len(next.data) < len(buffer) && next.err == nil {
				var n int
				n, next.err = content.Read(buffer[len(next.data):])
				next.data = buffer[:len(next.data)+n]
			}
			a.read <- next // there is room for each buffer
			if next.err != nil {
				return
			}
		}
	}
}

// Read implements [io.Reader].
func (a *readAhead) Read(p []byte) (int, error) {
	for len(a.left) == 0 {
		if a.current.err != nil {
			return 0, a.current.err
		}
		if a.current.data != nil {
			a.unused <- a.current.data[:copyBuffer]
		}
		a.current = <-a.read
		a.left = a.current.data
	}
	n := copy(p, a.left)
	a.left = a.left[n:]
	return n, nil
}

// Close implements [io.Closer].
func (a *readAhead) Close() error {
	close(a.stop)
	for range a.read { // to its end: then nothing is read any more
	}
	return a.content.Close()
}
