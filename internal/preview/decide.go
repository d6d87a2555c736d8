package preview

import (
	"errors"
	"fmt"
	"slices"
)

// ErrNoPullRequest means that the event is not about a pull request.
var ErrNoPullRequest = errors.New("the event is not about a pull request")

// Event is what happened to a pull request, and how it stands.
type Event struct {
	Name   string // pull_request or pull_request_target
	Action string // such as opened
	Actor  string // who caused it
	Label  string // the one that a labeled or unlabeled event is about, or ""

	Number         int
	HeadRepository string // owner/name; "" where it was deleted
	Fork           bool   // its branch is not in this repository
	Open           bool   // now, which an older event need not know
	Draft          bool   // as well
	Labels         []string
}

// Course is what to do about an event.
type Course string

// The courses.
const (
	Deploy  Course = "deploy"
	Destroy Course = "destroy"
	Skip    Course = "skip"
)

// Decision is a course, and why it is taken: a clause without a period.
type Decision struct {
	Course Course
	Reason string
}

// dependabot is the actor of runs whose token can write nothing, though their
// branches are in the repository. It stays so when a person runs them again.
const dependabot = "dependabot[bot]"

// Decide says what an event asks for, as far as that is the same for all apps;
// see [Decision.For]. Its error is [ErrNoPullRequest].
func Decide(e Event) (Decision, error) {
	if e.Name != "pull_request" && e.Name != "pull_request_target" || e.Number == 0 {
		return Decision{}, ErrNoPullRequest
	}
	switch {
	case e.Actor == dependabot:
		return Decision{Skip, "Dependabot's runs have a token that cannot write"}, nil
	case e.Name == "pull_request_target" && e.Action != "closed":
		return Decision{Skip, "under pull_request_target a preview is only ever destroyed, when the pull request is closed"}, nil
	case e.Name == "pull_request" && e.HeadRepository == "":
		return Decision{Skip, "the repository of its branch was deleted"}, nil
	case e.Name == "pull_request" && e.Fork:
		return Decision{Skip, "it comes from the fork " + e.HeadRepository + ", whose runs have a token that cannot write"}, nil
	case e.Action == "closed" && e.Open:
		return Decision{Skip, "it is open again"}, nil
	case !e.Open:
		return Decision{Destroy, "it is closed"}, nil
	case e.Action == "unlabeled":
		return Decision{Destroy, "the label " + e.Label + " was taken away"}, nil
	case !slices.Contains([]string{"opened", "synchronize", "reopened", "ready_for_review", "labeled"}, e.Action):
		return Decision{Skip, fmt.Sprintf("the event %s changes nothing about a preview", e.Action)}, nil
	case e.Draft:
		return Decision{Skip, "it is a draft; its preview comes when it is ready for review"}, nil
	}
	return Decision{Deploy, e.Action}, nil
}

// For narrows a decision to an app whose previews need a label; "" for none. An
// event about a label concerns only the apps that ask for that label.
func (d Decision) For(e Event, label string) Decision {
	aboutLabel := e.Action == "labeled" || e.Action == "unlabeled"
	switch {
	case d.Course == Skip, !e.Open:
		return d
	case aboutLabel && label != e.Label:
		return Decision{Skip, fmt.Sprintf("the label %s does not matter to its previews", e.Label)}
	case d.Course == Deploy && label != "" && !slices.Contains(e.Labels, label):
		return Decision{Skip, fmt.Sprintf("the pull request lacks the label %s", label)}
	}
	return d
}
