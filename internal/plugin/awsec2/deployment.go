package awsec2

import "github.com/zclconf/go-cty/cty"

// Deployment is one Auto Scaling group.
type Deployment struct {
	Name           string `json:"name"` // of group, launch template and target group: the deployment's ID
	Region         string `json:"region"`
	TargetGroupARN string `json:"target_group_arn,omitempty"`
	Image          string `json:"image,omitempty"`
	InstanceType   string `json:"instance_type,omitempty"`
	Desired        int    `json:"desired,omitempty"`
	PublicIP       string `json:"public_ip,omitempty"` // of the first instance; "" for none
	PublicDNS      string `json:"public_dns,omitempty"`
}

// Vars implements [component.Deployment].
func (d Deployment) Vars() map[string]cty.Value {
	return map[string]cty.Value{
		"service_name":     cty.StringVal(d.Name),
		"region":           cty.StringVal(d.Region),
		"target_group_arn": cty.StringVal(d.TargetGroupARN),
		"public_ip":        cty.StringVal(d.PublicIP),
		"public_dns":       cty.StringVal(d.PublicDNS),
	}
}

// URL implements [component.Deployment]. Instances come and go, so users reach
// the app by a release only.
func (Deployment) URL() string { return "" }

// Generation implements [component.Deployment]: every group is its own.
func (Deployment) Generation() string { return "" }

// TargetGroup returns the ARN and region of the target group, for releasers.
func (d Deployment) TargetGroup() (arn, region string) { return d.TargetGroupARN, d.Region }
