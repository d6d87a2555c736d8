package config

import (
	"fmt"
	"time"

	"github.com/hashicorp/hcl/v2"

	"github.com/deploy-action/deploy-action/internal/diag"
)

// Conduct is how the engine runs a deploy or a release. Its zero value is the
// default of everything.
type Conduct struct {
	Timeout  time.Duration // 0: not said
	Rollback bool          // put the previous release back when the stage fails
	Outdated bool          // go on where a newer run was faster
	Canary   []int         // shares of the traffic in percent, rising, the last of them 100; nil for all at once
	Pause    time.Duration // after each share
}

// conductBody is the part of a stage's block that says it.
type conductBody struct {
	Timeout  string   `hcl:"timeout,optional"`
	Rollback string   `hcl:"rollback,optional"`
	Outdated string   `hcl:"outdated,optional"`
	Canary   []int    `hcl:"canary,optional"`
	Pause    string   `hcl:"pause,optional"`
	Rest     hcl.Body `hcl:",remain"`
}

// readConduct evaluates what the body of a stage says of how it runs. What
// depends on values that are not known yet is left out.
func readConduct(body hcl.Body, where hcl.Range, r *reader) (Conduct, hcl.Diagnostics) {
	r.partial = true
	var written conductBody
	diags := r.decode(body, &written)
	if diags.HasErrors() {
		return Conduct{}, diags
	}
	c := Conduct{Rollback: written.Rollback == "auto", Outdated: written.Outdated == "allow"}
	fault := func(attribute, detail string) {
		problem := &diag.Problem{Summary: fmt.Sprintf("Invalid %q", attribute), Detail: detail, Attr: attribute}
		diags = append(diags, diag.Locate(problem, body, where)...)
	}
	word := func(attribute, value, allowed, meaning string) {
		if value != "" && value != allowed {
			fault(attribute, fmt.Sprintf("It is %q.%s The only value is %q: %s. Write that, or remove the argument.",
				value, diag.Suggest(value, []string{allowed}), allowed, meaning))
		}
	}
	word("rollback", written.Rollback, "auto", "the previous release is put back when the stage fails")
	word("outdated", written.Outdated, "allow", "an older run may go over a newer one")
	duration := func(attribute, value string) time.Duration {
		if value == "" {
			return 0
		}
		d, err := time.ParseDuration(value)
		if err != nil || d <= 0 {
			fault(attribute, fmt.Sprintf("It is %q. Write a time with its unit, such as \"90s\", \"20m\" or \"1h30m\".", value))
			return 0
		}
		return d
	}
	c.Timeout = duration("timeout", written.Timeout)
	c.Pause = duration("pause", written.Pause)
	if written.Pause != "" && written.Canary == nil && !r.incomplete {
		fault("pause", "It is the time between the shares of a canary release, and there is no \"canary\". Add canary = [10, 50, 100], or remove it.")
	}
	c.Canary = canarySteps(written.Canary, func(detail string) { fault("canary", detail) })
	return c, diags
}

// canarySteps checks the shares of a canary release, and adds the last.
func canarySteps(shares []int, fault func(detail string)) []int {
	if shares == nil {
		return nil
	}
	last := 0
	for _, share := range shares {
		if share <= last || share > 100 {
			fault(fmt.Sprintf("The share %d does not fit here: shares are whole percents from 1 to 100, each larger than the one before, such as [10, 50, 100].", share))
			return nil
		}
		last = share
	}
	if last != 100 {
		shares = append(shares[:len(shares):len(shares)], 100)
	}
	return shares
}
