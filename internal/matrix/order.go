package matrix

import (
	"fmt"
	"slices"
	"strings"
)

// Order returns the entries of the apps that changed reports, each after all
// that it depends on and else in the order of apps. What lies between them
// counts, though it did not change: its own level is then left out. It returns
// an error where apps wait for one another in a circle.
func Order(apps []App, workspace string, changed func(name string) bool) ([]Entry, error) {
	o := ordering{apps: map[string]App{}, levels: map[string]int{}, changed: changed}
	for _, a := range apps {
		o.apps[a.Name] = a
	}
	var entries []Entry
	for _, a := range apps {
		if err := o.visit(a.Name); err != nil {
			return nil, err
		}
	}
	for _, name := range o.done {
		if changed(name) {
			entries = append(entries, Entry{name, workspace, o.levels[name]})
		}
	}
	return entries, nil
}

// ordering is a walk along the dependencies.
type ordering struct {
	apps    map[string]App
	changed func(name string) bool
	levels  map[string]int // how many changed apps, one after another, come before
	done    []string
	path    []string // from the first app to the one that is visited
}

// visit comes to an app after it has come to all that the app depends on.
func (o *ordering) visit(name string) error {
	if i := slices.Index(o.path, name); i >= 0 {
		return fmt.Errorf("apps depend on one another in a circle: %s", strings.Join(append(o.path[i:], name), " → "))
	}
	app, known := o.apps[name]
	if _, visited := o.levels[name]; visited || !known {
		return nil
	}
	o.path = append(o.path, name)
	level := 0
	for _, other := range app.DependsOn {
		if err := o.visit(other); err != nil {
			return err
		}
		before := o.levels[other]
		if o.changed(other) {
			before++
		}
		level = max(level, before)
	}
	o.path = o.path[:len(o.path)-1]
	o.levels[name] = level
	o.done = append(o.done, name)
	return nil
}
