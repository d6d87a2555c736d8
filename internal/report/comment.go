package report

import (
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/deploy-action/deploy-action/internal/github"
	"github.com/deploy-action/deploy-action/internal/secret"
)

// Content is what the comment of a project in a pull request tells.
type Content struct {
	Project  string
	Previews []Preview
	Plans    []Plan
	Commit   string      // that the plans are about
	Secrets  *secret.Set // that are masked; or nil
}

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

// Comment returns the Markdown of the comment about a project in a pull request:
// its previews, and what plans say. It is no longer than GitHub takes, and what
// it leaves out it counts. Nobody is notified by what it holds.
func Comment(c Content) string {
	c = c.masked()
	b := bounded{left: github.CommentLimit}
	b.must(commentHead(c.Project))
	if len(c.Previews) > 0 || len(c.Plans) == 0 {
		writePreviews(&b, c)
	}
	if len(c.Plans) > 0 {
		writePlans(&b, c)
	}
	return b.String()
}

// previewHeading begins the table of previews, which comes first.
const previewHeading = "### Preview of "

// showsPreviews reports whether a comment of ours about a project shows previews.
func showsPreviews(body, project string) bool {
	rest := strings.TrimPrefix(body, strings.TrimSpace(commentHead(project)))
	return strings.HasPrefix(strings.TrimSpace(rest), previewHeading)
}

// bounded is a text that may have so many characters more.
type bounded struct {
	strings.Builder
	left int
}

// must writes what has to be there: it is short.
func (b *bounded) must(text string) {
	b.left -= utf8.RuneCountInString(text)
	b.WriteString(text)
}

// may writes text if there is room for it, and for what has to follow.
func (b *bounded) may(text string) bool {
	const reserve = 1000 // for headings, and for lines that say what was left out
	if utf8.RuneCountInString(text) > b.left-reserve {
		return false
	}
	b.must(text)
	return true
}

func writePreviews(b *bounded, c Content) {
	b.must(fmt.Sprintf(previewHeading+"%s\n\n", quiet(cutText(c.Project, logWidth))))
	if len(c.Previews) == 0 {
		b.must("There is no preview. What was deployed for this pull request is destroyed.\n")
		return
	}
	b.must("| app | status | where | commit | updated |\n|---|---|---|---|---|\n")
	for i, p := range c.Previews {
		if !b.may(previewRow(p)) {
			b.must(fmt.Sprintf("\nApps that are not shown: %d\n", len(c.Previews)-i))
			break
		}
	}
}

func previewRow(p Preview) string {
	status := quiet(p.Status)
	if p.RunURL != "" {
		status = withText(status, p.RunURL)
	}
	if p.Note != "" {
		status += ": " + quiet(cutText(p.Note, logWidth))
	}
	updated := ""
	if !p.Updated.IsZero() {
		updated = p.Updated.UTC().Format("2006-01-02 15:04 UTC")
	}
	return fmt.Sprintf("| %s | %s | %s | %s | %s |\n", quiet(p.App), status, link(cutText(p.URL, logWidth)), commit(cutText(p.Commit, logWidth)), updated)
}

// writePlans writes a line for each plan, and then those that this run made in
// full, as far as there is room.
func writePlans(b *bounded, c Content) {
	if len(c.Previews) > 0 {
		b.must("\n")
	}
	b.must(fmt.Sprintf("### Plan of %s\n\n", quiet(cutText(c.Project, logWidth))))
	if c.Commit != "" {
		b.must(fmt.Sprintf("Of commit %s. A deploy may change other things, if something else changes first.\n\n", commit(cutText(c.Commit, logWidth))))
	}
	b.must("| app | workspace | what would change |\n|---|---|---|\n")
	for i, p := range c.Plans {
		if !b.may(planRow(p)) {
			b.must(fmt.Sprintf("\nPlans that are not shown: %d\n", len(c.Plans)-i))
			return
		}
	}
	omitted := 0
	for _, p := range c.Plans {
		if len(p.Whole.Changes) == 0 {
			continue
		}
		shown := fmt.Sprintf("\n<details><summary>%s in %s</summary>\n\n%s\n</details>\n", asHTML(p.App), asHTML(p.Workspace), fence("diff", planDiff(p.Whole, commentPlanSize)))
		if !b.may(shown) {
			omitted++
		}
	}
	if omitted > 0 {
		b.must(fmt.Sprintf("\nPlans that are too long for this comment: %d. They are on the page of the run.\n", omitted))
	}
}

func planRow(p Plan) string {
	text := quiet(cutText(p.Text, logWidth))
	if p.RunURL != "" {
		text = withText(text, p.RunURL)
	}
	if p.Failed {
		text = "❌ " + text
	}
	return fmt.Sprintf("| %s | %s | %s |\n", quiet(p.App), quiet(p.Workspace), text)
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
