package githubfake

// AddNamedCommit makes a commit known that exists elsewhere under the given
// name, such as in a clone.
func (f *Fake) AddNamedCommit(sha, message string, parents ...string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.data.Commits[sha] = f.data.Commits[f.newCommit(message, parents)]
}
