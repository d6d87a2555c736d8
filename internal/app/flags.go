package app

import (
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/spf13/cobra"

	"github.com/deploy-action/deploy-action/internal/component"
	"github.com/deploy-action/deploy-action/internal/engine"
)

// global adds the flags of every verb.
func global(root *cobra.Command, f *flags) {
	p := root.PersistentFlags()
	p.StringArrayVarP(&f.Apps, "app", "a", nil, "work on this `app` only (repeatable)")
	p.StringVarP(&f.session.workspace, "workspace", "w", "", "the `workspace` (default \"default\")")
	p.StringArrayVar(&f.session.variables, "var", nil, "set a variable: `name=value` (repeatable)")
	p.StringArrayVar(&f.session.varFiles, "var-file", nil, "read variables from a `file` (repeatable)")
	p.StringArrayVar(&f.session.labels, "label", nil, "add a label: `key=value` (repeatable)")
	p.StringVarP(&f.session.dir, "dir", "C", "", "the `folder` of waypoint.hcl")
	p.StringVar(&f.session.state, "state", "auto", "where records are kept: auto, artifact, git, dir or dir=`folder`")
	p.Var(&lockFlag{&f.LockWait, &f.session.unlocked}, "lock", "how long to wait for the lock of an app, or off (default 15m)")
	p.StringVar(&f.session.reason, "reason", "", "why, for the record")
	p.BoolVar(&f.session.plain, "plain", false, "no colour, no animation")
	p.BoolVar(&f.session.debug, "debug", false, "show what maintainers need")
	p.DurationVar(&f.Timeout, "timeout", 0, "give a deploy or a release, or a hook around it, up after this `time` (default what the file says, or else 1h, or 10m without progress)")
	p.BoolVar(&f.session.json, "json", false, "print JSON, and the log to standard error")
	f.prune, f.push, f.release, f.Retain = true, true, true, -1
}

// doubleDashes makes flags that are written with one dash, as Waypoint's were
// (-var, -app=web), what the command line knows. What follows "--" is not ours.
func doubleDashes(args []string, known func(name string) bool) []string {
	changed := slices.Clone(args)
	for i, arg := range changed {
		if arg == "--" {
			break
		}
		name, _, _ := strings.Cut(strings.TrimPrefix(arg, "-"), "=")
		if strings.HasPrefix(arg, "-") && len(name) > 1 && known(name) {
			changed[i] = "-" + arg
		}
	}
	return changed
}

func pruneFlags(c *cobra.Command, f *flags) {
	if c.Name() != "prune" {
		c.Flags().BoolVar(&f.prune, "prune", true, "destroy old deployments afterwards")
	}
	c.Flags().IntVar(&f.Retain, "prune-retain", 1, "keep this `number` of deployments beside the released one")
}

func pushFlag(c *cobra.Command, f *flags) {
	c.Flags().BoolVar(&f.push, "push", true, "push what was built")
}

func releaseFlag(c *cobra.Command, f *flags) {
	c.Flags().BoolVar(&f.release, "release", true, "release what was deployed")
}

func artifactFlags(c *cobra.Command, f *flags) {
	c.Flags().StringVar(&f.Artifact, "artifact", "", "the pushed artifact to deploy: a sequence or an `ID`")
	c.Flags().StringVar(&f.From, "from", "", "take the artifact from this `workspace`")
}

func deploymentFlag(c *cobra.Command, f *flags) {
	c.Flags().StringVar(&f.Deployment, "deployment", "", "the deployment: a sequence or an `ID`")
}

func listFlag(c *cobra.Command, f *flags) {
	c.Flags().BoolVar(&f.list, "list", false, "show the candidates and change nothing")
}

func ttyFlag(c *cobra.Command, f *flags) {
	c.Flags().BoolVar(&f.tty, "tty", false, "give the command a terminal")
}

func logFlags(c *cobra.Command, f *flags) {
	c.Flags().BoolVarP(&f.follow, "follow", "f", false, "go on as lines are written")
	c.Flags().IntVar(&f.tail, "tail", 0, "only the last `lines` of each instance")
	c.Flags().StringVar(&f.since, "since", "", "only what is younger: a duration such as 10m, or an RFC 3339 `time`")
}

// sinceInto reads --since.
func (f *flags) sinceInto(req *component.LogRequest, now time.Time) error {
	if f.since == "" {
		return nil
	}
	if age, err := time.ParseDuration(f.since); err == nil {
		req.Since = now.Add(-age)
		return nil
	}
	at, err := time.Parse(time.RFC3339, f.since)
	if err != nil {
		return &engine.InvalidError{Diags: hcl.Diagnostics{{
			Severity: hcl.DiagError, Summary: "Invalid --since",
			Detail: "It is " + f.since + ", which is neither a duration such as 10m nor a time such as 2026-01-31T15:04:05Z.",
		}}}
	}
	req.Since = at
	return nil
}
