package awsecs

import "github.com/zclconf/go-cty/cty"

// Deployment is one service, or one revision of the task definition of a
// service that exists.
type Deployment struct {
	Region         string `json:"region"`
	Cluster        string `json:"cluster"`
	Service        string `json:"service"`                   // its name
	ServiceARN     string `json:"service_arn,omitempty"`     // "" until it exists
	TaskDefinition string `json:"task_definition,omitempty"` // ARN of the revision; "" until it exists
	Image          string `json:"image,omitempty"`
	Count          int32  `json:"count,omitempty"`    // tasks asked for; 0 for an existing service
	Existing       bool   `json:"existing,omitempty"` // the service is somebody else's
	LogGroup       string `json:"log_group,omitempty"`
	LogPrefix      string `json:"log_prefix,omitempty"`    // what the names of its log streams begin with
	Target         string `json:"target_group,omitempty"`  // ARN of its target group; "" without a load balancer
	LoadBalancer   string `json:"load_balancer,omitempty"` // ARN
	Listener       string `json:"listener,omitempty"`      // ARN
	Front          *Front `json:"front,omitempty"`         // where its traffic comes in; nil without a load balancer
}

// Vars implements [component.Deployment].
func (d Deployment) Vars() map[string]cty.Value {
	return map[string]cty.Value{
		"cluster":     cty.StringVal(d.Cluster),
		"service":     cty.StringVal(d.Service),
		"service_arn": cty.StringVal(d.ServiceARN),
		"task_arn":    cty.StringVal(d.TaskDefinition),

		"target_group_arn":  cty.StringVal(d.Target),
		"load_balancer_arn": cty.StringVal(d.LoadBalancer),
		"listener_arn":      cty.StringVal(d.Listener),
	}
}

// URL implements [component.Deployment].
func (Deployment) URL() string { return "" }

// Generation implements [component.Deployment]: revisions of an existing
// service follow each other in it.
func (d Deployment) Generation() string {
	if !d.Existing {
		return ""
	}
	return d.Region + "/" + d.Cluster + "/" + d.Service
}

// TargetGroup returns where a load balancer finds the tasks, for releasers that
// have one of their own; "" for a deployment without a target group.
func (d Deployment) TargetGroup() (arn, region string) { return d.Target, d.Region }
