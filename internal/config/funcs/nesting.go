package funcs

const (
	maxNesting  = 20_000 // steps that a parser goes down in itself
	bracketStep = 20     // what a bracket counts for: it passes all precedences
)

// nesting estimates how deep a parser that calls itself goes down: a text made
// for it can exhaust the stack, which ends the program. Brackets count while
// they are open, operators until the next comma beside them.
type nesting struct {
	depth  int
	levels []int // operators in each open bracket since its last comma
}

// open enters a bracket.
func (n *nesting) open() {
	n.levels = append(n.levels, 0)
	n.depth += bracketStep
}

// close leaves a bracket, with the operators in it.
func (n *nesting) close() {
	if last := len(n.levels) - 1; last >= 0 {
		n.depth -= bracketStep + n.levels[last]
		n.levels = n.levels[:last]
	}
}

// operator counts an operator.
func (n *nesting) operator() {
	if last := len(n.levels) - 1; last >= 0 {
		n.levels[last]++
		n.depth++
	}
}

// comma begins a new expression beside the last.
func (n *nesting) comma() {
	if last := len(n.levels) - 1; last >= 0 {
		n.depth -= n.levels[last]
		n.levels[last] = 0
	}
}

// tooDeep reports whether a parser should not be tried.
func (n *nesting) tooDeep() bool { return n.depth > maxNesting }
