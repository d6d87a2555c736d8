package funcs

import (
	"github.com/hashicorp/go-cty-funcs/cidr"
)

func networkEntries() []entry {
	return []entry{
		{name: "cidrhost", function: cidr.HostFunc, summary: "Returns the address of a host by its number within a network."},
		{name: "cidrnetmask", function: cidr.NetmaskFunc, summary: "Returns the mask of an IPv4 network, such as \"255.255.0.0\"."},
		{name: "cidrsubnet", function: cidr.SubnetFunc, summary: "Returns one network within another, by the bits it adds and its number."},
		{name: "cidrsubnets", function: cidr.SubnetsFunc, summary: "Returns consecutive networks within another, by the bits each adds."},
	}
}
