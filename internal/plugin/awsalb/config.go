package awsalb

// Config is the use block of the releaser.
type Config struct {
	// Name of the load balancer, at most 32 letters, digits and dashes. By
	// default one is made up of the names of app and workspace. A load balancer
	// of this name that this program did not make is used, but neither changed
	// nor removed but for the app's own rule and listener.
	Name string `hcl:"name,optional"`

	// The port to listen at: 80 by default, and 443 with a certificate.
	Port int `hcl:"port,optional"`

	// Subnets for the load balancer, in two zones at least. By default they are
	// the region's default subnets.
	Subnets []string `hcl:"subnets,optional"`

	// Whether the load balancer is for the network only, and not for the
	// internet.
	Internal bool `hcl:"internal,optional"`

	// ARN of the certificate to show. With one the listener speaks HTTPS, and
	// the URL of the release says so. It must be in the region of the
	// deployment.
	Certificate string `hcl:"certificate,optional"`

	// ID of the Route 53 zone in which domain_name gets an alias record. A record
	// that this program did not make is never changed: it must lead to the load
	// balancer already.
	ZoneID string `hcl:"zone_id,optional"`

	// The host under which users reach the app. In a load balancer that others
	// use too, the app gets the requests for this host only; so previews can
	// share one. Without zone_id the record is kept elsewhere.
	DomainName string `hcl:"domain_name,optional"`

	// ARN of an existing listener to use. It keeps its port, its protocol, its
	// certificates and its default action: the app gets a rule of its own in it,
	// for domain_name or else for all requests that no earlier rule takes. Then
	// name, port, subnets, internal, certificate and security_group_ids are of no
	// effect.
	ListenerARN string `hcl:"listener_arn,optional"`

	// IDs of security groups for the load balancer, in place of one that is
	// made and lets everyone in at the port.
	SecurityGroupIDs []string `hcl:"security_group_ids,optional"`

	// Name of a CloudWatch alarm to watch. A release is refused while it is on,
	// and taken back when it goes on within alarm_wait after traffic was moved.
	Alarm string `hcl:"alarm,optional"`

	// How long the alarm is watched after each time that traffic was moved, such
	// as "5m"; one minute by default. With "canary" this comes before the pause.
	AlarmWait string `hcl:"alarm_wait,optional"`
}
