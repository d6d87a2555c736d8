package report

import (
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/deploy-action/deploy-action/internal/github"
)

// Preview is how the preview of one app stands.
type Preview struct {
	App     string
	Status  string // such as ready
	Note    string // what there is to add, one line; or ""
	URL     string // where to see it; or ""
	Commit  string // that it was made from
	RunURL  string // of the run that made it; or ""
	Updated time.Time
}

// commentHead is what the comment of a project begins with: a mark that readers
// do not see and that no other project has.
func commentHead(project string) string {
	return "<!-- deploy-action:" + strings.ReplaceAll(url.QueryEscape(project), "-", "%2D") + " -->\n"
}

// Comment returns the Markdown of the comment about the previews of a project
// in a pull request. It is no longer than GitHub takes, and what it leaves out
// it counts.
func Comment(project string, previews []Preview) string {
	var b strings.Builder
	b.WriteString(commentHead(project))
	fmt.Fprintf(&b, "### Preview of %s\n\n", escape(project))
	if len(previews) == 0 {
		b.WriteString("There is no preview. What was deployed for this pull request is destroyed.\n")
		return b.String()
	}
	b.WriteString("| app | status | where | commit | updated |\n|---|---|---|---|---|\n")
	const reserve = 200 // for the last line
	left := github.CommentLimit - reserve - utf8.RuneCountInString(b.String())
	for i, p := range previews {
		row := previewRow(p)
		if left -= utf8.RuneCountInString(row); left < 0 {
			fmt.Fprintf(&b, "\nApps that are not shown: %d\n", len(previews)-i)
			break
		}
		b.WriteString(row)
	}
	return b.String()
}

func previewRow(p Preview) string {
	status := escape(p.Status)
	if p.RunURL != "" {
		status = withText(status, p.RunURL)
	}
	if p.Note != "" {
		status += ": " + escape(p.Note)
	}
	updated := ""
	if !p.Updated.IsZero() {
		updated = p.Updated.UTC().Format("2006-01-02 15:04 UTC")
	}
	return fmt.Sprintf("| %s | %s | %s | %s | %s |\n", escape(p.App), status, link(p.URL), commit(p.Commit), updated)
}

// withText is a link that shows another text than its address, which is
// Markdown already.
func withText(markdown, address string) string {
	shown := link(address)
	at := strings.LastIndex(shown, "](<")
	if at < 0 {
		return markdown
	}
	return "[" + markdown + shown[at:]
}

var wholeHash = regexp.MustCompile(`^[0-9a-f]{40}$`)

// commit shows a commit. GitHub makes a link of a hash that stands alone.
func commit(hash string) string {
	if wholeHash.MatchString(hash) {
		return hash
	}
	return inTable(code(hash))
}
