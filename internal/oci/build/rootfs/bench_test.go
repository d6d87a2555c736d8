//go:build linux

package rootfs_test

import (
	"archive/tar"
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/deploy-action/deploy-action/internal/oci/build/rootfs"
)

// distribution is a layer like that of a Debian base with packages: 6,000
// files of 121 MB, most of them small.
func distribution(b *testing.B) []byte {
	b.Helper()
	r := rand.New(rand.NewPCG(1, 1))
	content := make([]byte, 4<<20)
	for i := range content {
		content[i] = byte(r.Uint32())
	}
	var buffer bytes.Buffer
	archive := tar.NewWriter(&buffer)
	for folder := range 600 {
		name := fmt.Sprintf("usr/share/part%d/package%d/", folder/20, folder)
		must(b, archive.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: name, Mode: 0o755}))
		for file := range 10 {
			size := r.Int64N(8000)
			if file == 0 && folder%6 == 0 {
				size = 970_000
			}
			must(b, archive.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: fmt.Sprintf("%sfile%d", name, file), Mode: 0o644, Size: size}))
			_, err := archive.Write(content[:size])
			must(b, err)
		}
	}
	must(b, archive.Close())
	return buffer.Bytes()
}

// fresh returns a new folder for every round. They are removed at the end: file
// systems are slow to make files where others have just been removed.
func fresh(b *testing.B) string {
	b.Helper()
	dir, err := os.MkdirTemp(b.TempDir(), "root")
	must(b, err)
	return dir
}

func BenchmarkApply(b *testing.B) {
	layer := distribution(b)
	b.SetBytes(int64(len(layer)))
	for b.Loop() {
		apply(b, fresh(b), layer)
	}
}

// BenchmarkTarExtract is what [BenchmarkApply] is compared with.
func BenchmarkTarExtract(b *testing.B) {
	layer := distribution(b)
	b.SetBytes(int64(len(layer)))
	for b.Loop() {
		command := exec.CommandContext(b.Context(), "tar", "-x", "-C", fresh(b))
		command.Stdin = bytes.NewReader(layer)
		must(b, command.Run())
	}
}

func BenchmarkScan(b *testing.B) {
	dir := fresh(b)
	apply(b, dir, distribution(b))
	for b.Loop() {
		scan(b, dir)
	}
}

// BenchmarkWriteDiff writes a layer of a whole distribution.
func BenchmarkWriteDiff(b *testing.B) {
	dir := fresh(b)
	before := scan(b, dir)
	layer := distribution(b)
	apply(b, dir, layer)
	after := scan(b, dir)
	b.SetBytes(int64(len(layer)))
	for b.Loop() {
		_, err := rootfs.WriteDiff(b.Context(), tar.NewWriter(io.Discard), dir, before, after, fixed)
		must(b, err)
	}
}

// BenchmarkTarCreate is what [BenchmarkWriteDiff] is compared with.
func BenchmarkTarCreate(b *testing.B) {
	dir := fresh(b)
	layer := distribution(b)
	apply(b, dir, layer)
	b.SetBytes(int64(len(layer)))
	for b.Loop() {
		command := exec.CommandContext(b.Context(), "tar", "-c", "-C", dir, ".")
		command.Stdout = struct{ io.Writer }{io.Discard} // tar writes nothing to /dev/null
		must(b, command.Run())
	}
}

// BenchmarkScanMany reports the memory that the state of 200,000 files takes.
func BenchmarkScanMany(b *testing.B) {
	dir := fresh(b)
	const folders, each = 2000, 100
	for folder := range folders {
		below := filepath.Join(dir, fmt.Sprintf("part%d/folder%d", folder/100, folder))
		must(b, os.MkdirAll(below, 0o755))
		for file := range each {
			must(b, os.WriteFile(filepath.Join(below, fmt.Sprintf("file-number-%d.txt", file)), nil, 0o644))
		}
	}
	var state *rootfs.State
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	for b.Loop() {
		state = scan(b, dir)
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	runtime.KeepAlive(state)
	b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/(1<<20), "MB-kept")
	b.ReportMetric(float64(after.TotalAlloc-before.TotalAlloc)/float64(b.N)/(1<<20), "MB-made")
}
