package aws

// Pages calls read for one page after another, with the token of the page, nil
// for the first. It is for EC2: the SDK's own paginators make an interface of
// the client, and then the linker keeps each of its 800 methods, which are a
// third of this program.
func Pages(read func(token *string) (next *string, err error)) error {
	var token *string
	for {
		next, err := read(token)
		if err != nil || next == nil || *next == "" {
			return err
		}
		token = next
	}
}
