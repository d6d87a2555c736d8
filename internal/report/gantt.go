package report

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/deploy-action/deploy-action/internal/state"
)

// bar is one bar of the chart.
type bar struct {
	label          string
	tag            string // what colours it
	started, ended time.Time
}

// ganttTags colour a bar.
var ganttTags = map[state.Status]string{
	state.Succeeded:   "done, ",
	state.Interrupted: "active, ",
	state.Failed:      "crit, ",
}

// bars returns those of an app, in order of time: its operations, and within a
// release in steps each share of the traffic.
func bars(app App) []bar {
	var all []bar
	for _, r := range app.Records {
		if !r.Ended.IsZero() {
			all = append(all, bar{ganttLabel(r.Operation), ganttTags[r.Status], r.Started, r.Ended})
		}
	}
	for _, s := range app.Shares {
		all = append(all, bar{fmt.Sprintf("%d percent of the traffic", s.Percent), "active, ", s.Started, s.Ended})
	}
	slices.SortStableFunc(all, func(a, b bar) int { return a.started.Compare(b.started) })
	return all
}

// writeGantt draws where the time went, if that was in more than one place.
func writeGantt(b *strings.Builder, apps []App) {
	var chart strings.Builder
	drawn, omitted := 0, 0
	for _, app := range apps {
		all := bars(app)
		if chart.Len() > ganttSize {
			omitted += min(len(all), 1)
			continue
		}
		if len(all) > 0 {
			fmt.Fprintf(&chart, "    section %s\n", ganttLabel(app.Name))
		}
		for _, bar := range all {
			// Mermaid drops a bar that ends where it begins.
			end := max(bar.ended.UnixMilli(), bar.started.UnixMilli()+1)
			fmt.Fprintf(&chart, "    %s %s :%s%d, %d\n", bar.label, duration(bar.ended.Sub(bar.started)), bar.tag, bar.started.UnixMilli(), end)
			drawn++
		}
	}
	if drawn < 2 {
		return
	}
	const head = "gantt\n    dateFormat x\n    axisFormat %H:%M:%S\n"
	fmt.Fprintf(b, "<details><summary>Where the time went</summary>\n\n%s\n", fence("mermaid", head+chart.String()))
	if omitted > 0 {
		fmt.Fprintf(b, "Apps that the chart has no room for: %d. The table above has their times.\n\n", omitted)
	}
	b.WriteString("</details>\n\n")
}

// ganttLabel keeps what means nothing to Mermaid.
func ganttLabel(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z', '0' <= r && r <= '9', r == '-', r == '_', r == '.':
			return r
		}
		return '-'
	}, cutText(text, 60))
}
