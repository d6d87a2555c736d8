package component

// Plan is what an operation would do, in order.
type Plan struct {
	Changes []Change `json:"changes"`
}

// Change is one thing that an operation would do.
type Change struct {
	Action  Action `json:"action"`
	Subject string `json:"subject"`          // as the platform names it, e.g. "deployment/web-x7k2"
	Reason  string `json:"reason,omitempty"` // one line; or ""
	Diff    string `json:"diff,omitempty"`   // unified diff with secrets masked; or ""
}

// Action says what happens to the subject of a [Change].
type Action string

// The actions.
const (
	Create  Action = "create"
	Update  Action = "update"
	Replace Action = "replace"
	Delete  Action = "delete"
	Keep    Action = "keep"
)
