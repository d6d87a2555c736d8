package githubfake

// AtOnce returns how many requests wait for their answer.
func (f *Fake) AtOnce() int { return int(f.atOnce.Load()) }
