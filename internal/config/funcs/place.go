package funcs

import (
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"path/filepath"
	"strings"
	"sync"

	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
)

// Place is where a project is. Functions read files below Root and TempDir
// only, also where symbolic links lead elsewhere.
//
// A place remembers what it learned of the Git repository and which files it
// rendered, so there should be one for a run. It may be used concurrently, and
// must not be copied once it is used.
type Place struct {
	Dir     string // absolute folder of waypoint.hcl
	Root    string // absolute folder of the repository; Dir or a folder above it
	Home    string // what "~" stands for; "" where there is no home
	TempDir string // absolute folder for rendered files; "" where none may be rendered

	once     sync.Once
	table    map[string]function.Function
	rendered rendered
	jsonnet  jsonnetState
}

// Functions returns the functions that depend on the place, by name. The map is
// shared: do not change it.
func (p *Place) Functions() map[string]function.Function {
	p.once.Do(func() { p.table = table(p.groups()) })
	return p.table
}

func (p *Place) groups() []group {
	return []group{
		{"Files", append(p.pathEntries(), p.fileEntries()...)},
		{"Git", gitEntries(p.Dir)},
		{"Jsonnet", p.jsonnetEntries()},
	}
}

// pathEntries are the functions that compute with a path and read nothing.
func (p *Place) pathEntries() []entry {
	return []entry{
		{name: "abspath", function: pathFunction(p.absolute), check: checkPath, summary: "Makes a path absolute; a relative one begins at waypoint.hcl."},
		{name: "basename", function: pathFunction(filepath.Base), check: checkPath, summary: "Returns the last element of a path."},
		{name: "dirname", function: pathFunction(filepath.Dir), check: checkPath, summary: "Returns a path without its last element."},
		{name: "pathexpand", function: pathFunction(p.expand), check: checkPath, summary: "Replaces a leading \"~\" by the home folder."},
	}
}

// fileEntries are the functions that read files.
func (p *Place) fileEntries() []entry {
	return []entry{
		{name: "file", function: fileFunction(cty.String, p.text), check: checkPath, summary: "Returns the content of a UTF-8 file."},
		{name: "filebase64", function: fileFunction(cty.String, p.base64), check: checkPath, summary: "Returns the content of a file in base64."},
		{name: "filebase64sha256", function: fileFunction(cty.String, p.digest(sha256.New, base64Text)), check: checkPath, summary: "Returns the SHA-256 hash of a file in base64."},
		{name: "filebase64sha512", function: fileFunction(cty.String, p.digest(sha512.New, base64Text)), check: checkPath, summary: "Returns the SHA-512 hash of a file in base64."},
		{name: "fileexists", function: fileFunction(cty.Bool, p.exists), check: checkPath, summary: "Reports whether there is a file; anything else in its place is an error."},
		{name: "filemd5", function: fileFunction(cty.String, p.digest(md5.New, hex.EncodeToString)), check: checkPath, summary: "Returns the MD5 hash of a file in hexadecimal digits."},
		{name: "fileset", function: p.filesetFunction(), check: checkPattern, summary: "Returns the files in a folder that match a pattern, relative to it; ** stands for any folders."},
		{name: "filesha1", function: fileFunction(cty.String, p.digest(sha1.New, hex.EncodeToString)), check: checkPath, summary: "Returns the SHA-1 hash of a file in hexadecimal digits."},
		{name: "filesha256", function: fileFunction(cty.String, p.digest(sha256.New, hex.EncodeToString)), check: checkPath, summary: "Returns the SHA-256 hash of a file in hexadecimal digits."},
		{name: "filesha512", function: fileFunction(cty.String, p.digest(sha512.New, hex.EncodeToString)), check: checkPath, summary: "Returns the SHA-512 hash of a file in hexadecimal digits."},
	}
}

// pathFunction makes a function that computes with a path and reads nothing.
func pathFunction(change func(string) string) function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{{Name: "path", Type: cty.String}},
		Type:   function.StaticReturnType(cty.String),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			return cty.StringVal(change(args[0].AsString())), nil
		},
	})
}

// fileFunction makes a function of one path.
func fileFunction(returns cty.Type, read func(path string) (cty.Value, error)) function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{{Name: "path", Type: cty.String}},
		Type:   function.StaticReturnType(returns),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			value, err := read(args[0].AsString())
			if err != nil {
				return cty.NilVal, function.NewArgError(0, err)
			}
			return value, nil
		},
	})
}

// absolute makes a path absolute; a relative one begins at waypoint.hcl.
func (p *Place) absolute(path string) string {
	if filepath.IsAbs(path) {
		return filepath.Clean(path)
	}
	return filepath.Join(p.Dir, path)
}

// expand replaces a leading "~".
func (p *Place) expand(path string) string {
	if rest, ok := strings.CutPrefix(path, "~"); ok && p.Home != "" && (rest == "" || rest[0] == '/') {
		return p.Home + rest
	}
	return path
}
