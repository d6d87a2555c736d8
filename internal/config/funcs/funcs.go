// Package funcs holds the functions that configuration can call.
//
// Most are those of the go-cty standard library under the names that Terraform
// gave them; this package adds what is missing there. Functions read nothing
// outside of the repository, and write only below a folder of their own. They
// know no app, no stage and no variable.
//
// Every function has limits, so that no single call takes long or much memory.
// The tables of functions are also the source of the reference: see
// [Reference].
package funcs

import (
	"sync"

	"github.com/zclconf/go-cty/cty/function"
)

// group is a part of the reference.
type group struct {
	name    string
	entries []entry
}

// Standard returns the functions that depend on nothing but their arguments,
// by name. The map is shared: do not change it.
func Standard() map[string]function.Function { return standard() }

// standard makes the table at its first use, for many runs need none.
var standard = sync.OnceValue(func() map[string]function.Function { return table(standardGroups()) })

func standardGroups() []group {
	return []group{
		{"Numbers", numberEntries()},
		{"Text", textEntries()},
		{"Collections", append(collectionEntries(), setEntries()...)},
		{"Encoding", encodingEntries()},
		{"Hashes and identifiers", hashEntries()},
		{"Networks", networkEntries()},
		{"Time", timeEntries()},
		{"Types", typeEntries()},
		{"Selectors", selectorEntries()},
	}
}

// table returns the functions of some groups by name, within their limits.
func table(groups []group) map[string]function.Function {
	functions := map[string]function.Function{}
	for _, g := range groups {
		for _, e := range g.entries {
			functions[e.name] = e.bounded()
		}
	}
	return functions
}
