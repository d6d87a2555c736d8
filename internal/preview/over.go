package preview

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/deploy-action/deploy-action/internal/config"
	"github.com/deploy-action/deploy-action/internal/github"
)

// Over says why a preview is to be destroyed, in a clause without a period; ""
// while it may stay. The pull request is nil where it could not be read: then
// only time decides.
func Over(p Preview, pull *github.PullRequest, rules config.Preview, now time.Time) string {
	switch {
	case pull != nil && pull.Merged:
		return "merged"
	case pull != nil && !pull.Open:
		return "closed"
	case pull != nil && rules.Label != "" && !slices.Contains(pull.Labels, rules.Label):
		return "without the label " + rules.Label
	case now.Sub(p.Pushed()) >= rules.TTL:
		return fmt.Sprintf("older than %s", short(rules.TTL))
	}
	return ""
}

// short writes a time as people do: 72h rather than 72h0m0s.
func short(d time.Duration) string {
	text := d.Round(time.Second).String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}
