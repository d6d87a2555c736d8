package config

import (
	"fmt"
	"maps"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"github.com/deploy-action/deploy-action/internal/secret"
)

// longestLabel is the limit of a label's key and of its value.
const longestLabel = 255

// longestName is the limit of the names of apps and workspaces, and
// nameCharacters is what they are made of.
const (
	longestName    = 60
	letters        = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
	digits         = "0123456789"
	nameCharacters = letters + digits + "-_."
)

// reservedPrefix begins the keys of labels that are not the user's.
const reservedPrefix = "waypoint/"

// badName says what is wrong with the name of an app or a workspace, or "".
func badName(name string) string {
	switch {
	case name == ".", name == "..":
		return fmt.Sprintf("The name %q cannot be used: where a folder is named after it, it would be another folder. Choose a name with a letter.", name)
	case name != "" && len(name) <= longestName && strings.Trim(name, nameCharacters) == "":
		return ""
	}
	return fmt.Sprintf("The name %q cannot be used: a name has 1 to 60 characters, which are letters, digits, \"-\", \"_\" and \".\".", name)
}

// evaluateLabels evaluates a labels argument and checks each label. A nil
// attribute has none. Labels are shown and recorded, so a secret among them is
// a problem.
func evaluateLabels(attribute *hcl.Attribute, ctx *hcl.EvalContext, secrets *secret.Set) (map[string]string, hcl.Diagnostics) {
	elements, diags := stringMap(attribute, ctx)
	labels := map[string]string{}
	for _, key := range keys(elements) {
		value := elements[key]
		switch {
		case value.IsMarked():
			addSecrets(secrets, value)
			diags = append(diags, badLabel(key, "holds a sensitive value, and labels are shown to everyone. Use another value", attribute.Expr.Range().Ptr()))
		case value.IsKnown(): // or else a variable in it has a problem of its own
			labels[key] = value.AsString()
		}
	}
	if attribute != nil {
		diags = append(diags, checkLabels(labels, attribute.Expr.Range().Ptr())...)
	}
	return labels, diags
}

// checkLabels reports what is wrong with labels that stand at where, which is
// nil for the command line.
func checkLabels(labels map[string]string, where *hcl.Range) hcl.Diagnostics {
	var diags hcl.Diagnostics
	for _, key := range keys(labels) {
		prefix, _, slashed := strings.Cut(key, "/")
		switch {
		case key == "":
			diags = append(diags, badLabel(key, "has no name. Write NAME=VALUE", where))
		case strings.HasPrefix(key, reservedPrefix):
			diags = append(diags, badLabel(key, "begins with "+quote(reservedPrefix)+", which is reserved. Use another prefix", where))
		case len(key) > longestLabel, len(labels[key]) > longestLabel:
			diags = append(diags, badLabel(key, fmt.Sprintf("or its value is longer than %d characters. Shorten it", longestLabel), where))
		case slashed && !likeHostname(prefix):
			diags = append(diags, badLabel(key, "must look like a host name before its slash: letters, digits, dashes and single dots, a letter first", where))
		}
	}
	return diags
}

// likeHostname reports whether prefix has the shape of a host name: letters,
// digits and dashes with single dots between them, a letter first and no dash
// last.
func likeHostname(prefix string) bool {
	if len(prefix) < 2 || !strings.Contains(letters, prefix[:1]) || strings.HasSuffix(prefix, "-") {
		return false
	}
	for part := range strings.SplitSeq(prefix, ".") {
		if part == "" || strings.Trim(part, letters+digits+"-") != "" {
			return false
		}
	}
	return true
}

// badLabel reports one label.
func badLabel(key, reason string, where *hcl.Range) *hcl.Diagnostic {
	return &hcl.Diagnostic{
		Severity: hcl.DiagError,
		Summary:  "Invalid label",
		Detail:   fmt.Sprintf("The label %q %s.", key, reason),
		Subject:  where,
	}
}

// mergeLabels returns the labels of one operation: later maps win.
func mergeLabels(workspace string, layers ...map[string]string) map[string]string {
	merged := map[string]string{reservedPrefix + "workspace": workspace}
	for _, layer := range layers {
		maps.Copy(merged, layer)
	}
	return merged
}

// labelsValue is the variable labels.
func labelsValue(labels map[string]string) cty.Value {
	values := make(map[string]cty.Value, len(labels))
	for key, value := range labels {
		values[key] = cty.StringVal(value)
	}
	return cty.MapVal(values) // never empty: the workspace is in it
}
