package arch_test

import (
	"fmt"
	"slices"
	"strings"
)

// importErrors holds the imports of a unit against the table.
func importErrors(u unit) []string {
	i := slices.IndexFunc(table, func(r row) bool { return matches(r.pkg, u.name) })
	if i < 0 {
		return []string{fmt.Sprintf("%s: no row of the import table is for this package: add one, with its reason", u.name)}
	}
	var broken []string
	for _, f := range u.files {
		for _, importPath := range f.imports() {
			to, ours := inModule(importPath)
			if !ours || to == u.name {
				continue
			}
			if why := refused(u.name, to, table[i], f.test); why != "" {
				broken = append(broken, fmt.Sprintf("%s: %s must not import %s: %s", f.path, u.name, to, why))
			}
		}
	}
	return broken
}

// refused returns why an edge is refused, or "".
func refused(from, to string, r row, test bool) string {
	if test {
		for _, extra := range testsMay {
			if matches(extra.pkg, from) && matchesAny(extra.may, to) {
				return ""
			}
		}
		// A test may use the packages below its own: the parts of the whole.
		if strings.HasPrefix(to, from+"/") {
			return ""
		}
	}
	for _, edge := range never {
		if matches(edge.from, from) && matches(edge.to, to) && !test {
			return edge.why
		}
	}
	if matchesAny(r.may, to) {
		return ""
	}
	return r.why
}

// confinementErrors holds the imports of other modules against their places.
func confinementErrors(units []unit) []string {
	var broken []string
	for _, c := range confined {
		var importers []string
		for _, u := range units {
			files := importing(u, c)
			if len(files) == 0 {
				continue
			}
			importers = append(importers, u.name)
			if c.allows(u.name) {
				continue
			}
			for _, f := range files {
				broken = append(broken, fmt.Sprintf("%s: %s must not import %s: %s", f.path, u.name, strings.Join(c.modules, ", "), c.why))
			}
		}
		if c.single && len(importers) > 1 {
			broken = append(broken, fmt.Sprintf("%s import %s: %s", strings.Join(importers, " and "), strings.Join(c.modules, ", "), c.why))
		}
	}
	return broken
}

// allows reports whether a unit may import the confined modules.
func (c confinement) allows(name string) bool {
	if c.only == nil {
		return !matchesAny(c.except, name)
	}
	return matchesAny(c.only, name)
}

// importing returns the files of a unit that import the confined modules and
// are held to the rule.
func importing(u unit, c confinement) []file {
	var files []file
	for _, f := range u.files {
		if f.test && !c.tests {
			continue
		}
		if slices.ContainsFunc(f.imports(), c.covers) {
			files = append(files, f)
		}
	}
	return files
}

// covers reports whether an import path belongs to the confined modules.
func (c confinement) covers(importPath string) bool {
	return slices.ContainsFunc(c.modules, func(m string) bool {
		return importPath == m || strings.HasPrefix(importPath, strings.TrimSuffix(m, "/")+"/")
	})
}
