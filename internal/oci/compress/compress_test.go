package compress_test

import (
	"bytes"
	stdgzip "compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"testing"

	"github.com/klauspost/compress/zstd"

	"github.com/deploy-action/deploy-action/internal/oci/compress"
)

// content is compressible by about a half.
func content(size int) []byte {
	random := rand.NewChaCha8([32]byte{1})
	data := make([]byte, size)
	_, _ = random.Read(data) // which never fails
	for i := range data {
		if i%1024 < 512 {
			data[i] = 'x'
		}
	}
	return data
}

func pack(t testing.TB, pool *compress.Pool, s compress.Settings, data []byte, step int) []byte {
	t.Helper()
	var packed bytes.Buffer
	w, err := pool.NewWriter(t.Context(), &packed, s)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Release()
	for len(data) > 0 {
		n := min(step, len(data))
		if _, err := w.Write(data[:n]); err != nil {
			t.Fatal(err)
		}
		data = data[n:]
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return packed.Bytes()
}

func TestRoundTrip(t *testing.T) {
	t.Parallel()
	unpack := map[compress.Format]func(io.Reader) (io.Reader, error){
		compress.Gzip: func(r io.Reader) (io.Reader, error) { return stdgzip.NewReader(r) },
		compress.Zstd: func(r io.Reader) (io.Reader, error) { return zstd.NewReader(r) },
	}
	for format, open := range unpack {
		for _, size := range []int{0, 1, 1 << 20, 1<<20 + 1, 5<<20 + 12345} {
			for _, level := range []int{0, 1, 6, format.Highest()} {
				t.Run(fmt.Sprint(format, size, level), func(t *testing.T) {
					t.Parallel()
					data := content(size)
					packed := pack(t, compress.NewPool(), compress.Settings{Format: format, Level: level}, data, 70_000)
					plain, err := open(bytes.NewReader(packed))
					if err != nil {
						t.Fatal(err)
					}
					got, err := io.ReadAll(plain)
					if err != nil || !bytes.Equal(got, data) {
						t.Errorf("reading it back gives %d bytes and %v, want the %d that were written", len(got), err, len(data))
					}
					if size > 1<<20 && len(packed) > size*3/4 {
						t.Errorf("%d bytes became %d", size, len(packed))
					}
				})
			}
		}
	}
}

// TestSameBytes compresses with help and without, and in other steps.
func TestSameBytes(t *testing.T) {
	t.Parallel()
	data := content(7 << 20)
	for _, format := range []compress.Format{compress.Gzip, compress.Zstd} {
		settings := compress.Settings{Format: format}
		want := pack(t, compress.NewPool(), settings, data, len(data))
		// This pool has one processor left, so that nobody helps.
		pool := compress.NewPool()
		busy := compress.Crowd(pool)
		got := pack(t, pool, settings, data, 4096)
		busy()
		if !bytes.Equal(got, want) {
			t.Errorf("%s depends on the number of processors: %d and %d bytes", format, len(got), len(want))
		}
	}
}

func TestUnknownSettings(t *testing.T) {
	t.Parallel()
	for _, s := range []compress.Settings{{Format: "lzma"}, {Level: 10}} {
		if _, err := compress.NewPool().NewWriter(t.Context(), io.Discard, s); err == nil {
			t.Errorf("NewWriter(%+v) succeeded", s)
		}
	}
}

func TestWaitEndsWithContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancelCause(t.Context())
	over := errors.New("over")
	cancel(over)
	pool := compress.NewPool()
	compress.Fill(pool)
	if _, err := pool.NewWriter(ctx, io.Discard, compress.Settings{}); !errors.Is(err, over) {
		t.Errorf("NewWriter = %v, want that the context ended", err)
	}
}

// full fails every write.
type full struct{}

var errFull = errors.New("full")

func (full) Write([]byte) (int, error) { return 0, errFull }

func TestFailedWriteIsTold(t *testing.T) {
	t.Parallel()
	w, err := compress.NewPool().NewWriter(t.Context(), full{}, compress.Settings{})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Release()
	_, writing := w.Write(content(3 << 20))
	if closing := w.Close(); !errors.Is(writing, errFull) || !errors.Is(closing, errFull) {
		t.Errorf("Write = %v, Close = %v, want the error of what is written to", writing, closing)
	}
}

func BenchmarkGzip(b *testing.B) {
	data := content(64 << 20)
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		pack(b, compress.NewPool(), compress.Settings{}, data, 256<<10)
	}
}
