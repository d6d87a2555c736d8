package awslambda

import (
	"strconv"

	"github.com/zclconf/go-cty/cty"

	"github.com/deploy-action/deploy-action/internal/component"
)

// Deployment is one version of a function.
type Deployment struct {
	ID      string `json:"id"`
	Region  string `json:"region"`
	Name    string `json:"name"`              // of the function
	ARN     string `json:"arn,omitempty"`     // of the function, without a version
	Version string `json:"version,omitempty"` // "" before there is one
	Group   string `json:"group,omitempty"`   // ARN of its target group; "" without one

	// What the version was made from.
	Code    string   `json:"code,omitempty"` // the image, or the SHA-256 of the files
	Memory  int32    `json:"memory,omitempty"`
	Timeout int32    `json:"timeout,omitempty"`
	Storage int32    `json:"storage,omitempty"`
	Env     []string `json:"env,omitempty"` // names, in order
}

var _ component.Deployment = Deployment{}

// Function returns the ARN of the function and the version: what a releaser
// needs to give it traffic by an alias.
func (d Deployment) Function() (arn, version string) { return d.ARN, d.Version }

// TargetGroup returns the ARN of the target group through which a load balancer
// reaches the version; "" without one.
func (d Deployment) TargetGroup() (arn, region string) { return d.Group, d.Region }

// versionARN returns the ARN of the version; "" without one.
func (d Deployment) versionARN() string {
	if d.ARN == "" || d.Version == "" {
		return ""
	}
	return d.ARN + ":" + d.Version
}

// Vars implements [component.Deployment].
func (d Deployment) Vars() map[string]cty.Value {
	return map[string]cty.Value{
		"id":               cty.StringVal(d.ID),
		"region":           cty.StringVal(d.Region),
		"name":             cty.StringVal(d.Name),
		"func_arn":         cty.StringVal(d.ARN),
		"ver_arn":          cty.StringVal(d.versionARN()),
		"version":          cty.StringVal(d.Version),
		"target_group_arn": cty.StringVal(d.Group),
		"storage":          cty.NumberIntVal(int64(d.Storage)),
	}
}

// URL implements [component.Deployment]: a function answers nowhere until a
// release.
func (Deployment) URL() string { return "" }

// Generation implements [component.Deployment]: every version is its own.
func (Deployment) Generation() string { return "" }

// newer orders versions, the newest first.
func newer(a, b Deployment) int {
	x, _ := strconv.Atoi(a.Version) // 0 stands for none
	y, _ := strconv.Atoi(b.Version)
	return y - x
}
