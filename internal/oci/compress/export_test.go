package compress

// Crowd leaves one processor of a pool free until the result is called.
func Crowd(p *Pool) (leave func()) {
	for range cap(p.busy) - 1 {
		p.busy <- struct{}{}
	}
	return func() {
		for range cap(p.busy) - 1 {
			<-p.busy
		}
	}
}

// Fill leaves no processor of a pool free.
func Fill(p *Pool) {
	for range cap(p.busy) {
		p.busy <- struct{}{}
	}
}
