package elb

import (
	"slices"
	"strings"
)

// mostGroups is how many target groups one action may forward to.
const mostGroups = 5

// share is the part of the traffic that a target group gets, relative to the
// others' shares.
type share struct {
	group  string
	weight int
}

// total is the sum of the weights.
func total(shares []share) int {
	sum := 0
	for _, s := range shares {
		sum += s.weight
	}
	return sum
}

// shifted returns shares in which a group gets percent of the traffic and what
// served before keeps the rest. With nothing else that serves, the group gets
// all. The newest comes first; those that get nothing stay at the end, as far
// as there is room, so that they are looked after and can be returned to.
func shifted(shares []share, group string, percent int) []share {
	others := slices.DeleteFunc(slices.Clone(shares), func(s share) bool { return s.group == group })
	sum := total(others)
	if sum == 0 {
		percent = 100
	}
	rest := 100 - percent
	given := 0
	for i, s := range others {
		if sum == 0 || rest == 0 {
			others[i].weight = 0
			continue
		}
		others[i].weight = s.weight * rest / sum
		given += others[i].weight
	}
	if rest > given { // what rounding left over
		first := slices.IndexFunc(others, func(s share) bool { return s.weight > 0 })
		others[max(first, 0)].weight += rest - given
	}
	return trimmed(append([]share{{group, percent}}, others...))
}

// attached returns shares with a group among them that gets nothing, unless it
// is there already. A group that is alone gets what there is.
func attached(shares []share, group string) []share {
	if slices.ContainsFunc(shares, func(s share) bool { return s.group == group }) {
		return shares
	}
	if total(shares) == 0 {
		return trimmed(append([]share{{group, 100}}, zeroed(shares)...))
	}
	return trimmed(append([]share{{group, 0}}, shares...))
}

func zeroed(shares []share) []share {
	shares = slices.Clone(shares)
	for i := range shares {
		shares[i].weight = 0
	}
	return shares
}

// without returns shares without a group.
func without(shares []share, group string) []share {
	return slices.DeleteFunc(slices.Clone(shares), func(s share) bool { return s.group == group })
}

// trimmed drops the oldest that get nothing where there are too many: never the
// first, which is the one that this is about.
func trimmed(shares []share) []share {
	for i := len(shares) - 1; i > 0 && len(shares) > mostGroups; i-- {
		if shares[i].weight == 0 {
			shares = slices.Delete(shares, i, i+1)
		}
	}
	return shares
}

// equal reports whether the same groups get the same weights.
func equal(a, b []share) bool {
	sorted := func(shares []share) []share {
		return slices.SortedFunc(slices.Values(shares), func(x, y share) int { return strings.Compare(x.group, y.group) })
	}
	return slices.Equal(sorted(a), sorted(b))
}
