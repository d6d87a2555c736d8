package state

import "strings"

// RebuiltFrom begins the message of a record that was lost, and made again from
// what others were told of it: it says less than the record that was.
const RebuiltFrom = "rebuilt from "

// Rebuilt reports whether r was made again from what others were told.
func Rebuilt(r Record) bool { return strings.HasPrefix(r.Message, RebuiltFrom) }
