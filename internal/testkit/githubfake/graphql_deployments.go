package githubfake

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// deploymentConnection is a page of the Deployments of a repository.
func (f *Fake) deploymentConnection(args map[string]any) any {
	environments, _ := args["environments"].([]any)
	var found []*Deployment
	for _, d := range f.data.Deployments {
		if len(environments) == 0 || slices.Contains(environments, any(d.Environment)) {
			found = append(found, d)
		}
	}
	if order, _ := args["orderBy"].(map[string]any); order["direction"] == "DESC" {
		slices.SortFunc(found, func(a, b *Deployment) int { return cmp.Compare(b.ID, a.ID) })
	}
	total := len(found)
	if after, ok := args["after"].(string); ok {
		at := slices.IndexFunc(found, func(d *Deployment) bool { return cursor(d) == after })
		found = found[at+1:]
	}
	size := min(max(integer(args["first"]), 0), 100)
	more := len(found) > size
	found = found[:min(size, len(found))]
	nodes, end := []any{}, any(nil)
	for _, d := range found {
		nodes, end = append(nodes, d.node()), cursor(d)
	}
	return map[string]any{
		"nodes": nodes, "totalCount": total,
		"pageInfo": map[string]any{"hasNextPage": more, "hasPreviousPage": args["after"] != nil, "startCursor": nil, "endCursor": end},
	}
}

func cursor(d *Deployment) string {
	return base64.StdEncoding.EncodeToString(fmt.Appendf(nil, "cursor:v2:%d", d.ID))
}

// integer reads a number as it comes from a query or from its variables.
func integer(value any) int {
	switch n := value.(type) {
	case int64:
		return int(n)
	case json.Number:
		return int(number(n.String()))
	}
	return 0
}

// node is d in GraphQL: states in capitals, and the payload a text.
func (d *Deployment) node() map[string]any {
	status := any(nil)
	if len(d.Statuses) > 0 {
		last := d.Statuses[len(d.Statuses)-1]
		status = map[string]any{
			"id": fmt.Sprintf("DES_%d", last.ID), "state": strings.ToUpper(last.State), "description": orNull(last.Description),
			"environment": d.Environment, "createdAt": last.Created,
		}
	}
	return map[string]any{
		"id": fmt.Sprintf("DE_%d", d.ID), "databaseId": d.ID, "commitOid": d.SHA, "task": d.Task, "environment": d.Environment,
		"payload": string(d.Payload), "createdAt": d.Created, "latestStatus": status,
	}
}
