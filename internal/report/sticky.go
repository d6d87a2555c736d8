package report

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/deploy-action/deploy-action/internal/github"
)

// Sticky is the one comment of a project below a pull request. Several runs may
// write it at the same time.
type Sticky struct {
	Client  *github.Client
	Number  int // of the pull request
	Project string

	// Render makes the text, with [Comment], from what is true now: what every
	// run can see before this one writes. It is called again after writing. With
	// [ErrUnseen] it returns the text without the previews.
	Render func(context.Context) (string, error)
}

// ErrUnseen means that this run may not see how previews stand. A comment that
// shows some stays as it is.
var ErrUnseen = errors.New("the previews of the pull request cannot be seen")

// mostRewrites bounds how often one run corrects the comment, while others
// change what is true all the time. The last one of them corrects it.
const mostRewrites = 5

// Write makes the comment say what is true. Where there is none it makes one if
// create says so.
//
// Ours are those with our mark whose author is a bot, or whoever the token
// turns out to be: anybody can write the mark. The text of a comment is
// replaced; all that is read of it is whether it shows previews.
func (s Sticky) Write(ctx context.Context, create bool) error {
	text, unseen, err := s.render(ctx)
	if err != nil {
		return err
	}
	comment, err := s.find(ctx, byBot)
	if err != nil || comment == nil && !create {
		return err
	}
	for range mostRewrites {
		if unseen && comment != nil && showsPreviews(comment.Body, s.Project) {
			return ErrUnseen
		}
		if comment, err = s.say(ctx, comment, text); err != nil {
			return err
		}
		// Whoever writes last looks once more after that, and so leaves nothing
		// behind that was not true any more when it was written.
		if text, unseen, err = s.render(ctx); err != nil || comment.Body == text {
			return err
		}
	}
	return nil
}

// render makes the text, and reports whether it lacks the previews.
func (s Sticky) render(ctx context.Context) (text string, unseen bool, err error) {
	text, err = s.Render(ctx)
	if errors.Is(err, ErrUnseen) {
		return text, true, nil
	}
	return text, false, err
}

// say gives the comment a text, and makes it where there is none, or none any
// more.
func (s Sticky) say(ctx context.Context, c *github.Comment, text string) (*github.Comment, error) {
	if c == nil {
		made, err := s.create(ctx, text)
		if err != nil || made.Body == text {
			return made, err
		}
		c = made
	}
	if c.Body == text {
		return c, nil
	}
	err := s.Client.UpdateComment(ctx, c.ID, text)
	if errors.Is(err, github.ErrNotFound) { // somebody took it away, perhaps since there was an older one
		return s.create(ctx, text)
	}
	c.Body = text
	return c, err
}

// create makes the comment. Another run may have done so at the same moment:
// then the oldest one stays.
func (s Sticky) create(ctx context.Context, text string) (*github.Comment, error) {
	made, err := s.Client.CreateComment(ctx, s.Number, text)
	if err != nil {
		return nil, err
	}
	oldest, err := s.find(ctx, func(a github.Author) bool { return a == made.Author })
	if err != nil || oldest == nil {
		return &made, err // a list may lag behind
	}
	return oldest, nil
}

// find returns the oldest of our comments, or nil, and deletes the others.
func (s Sticky) find(ctx context.Context, us func(github.Author) bool) (*github.Comment, error) {
	head := strings.TrimSpace(commentHead(s.Project))
	var ours []github.Comment
	for c, err := range s.Client.Comments(ctx, s.Number) {
		if err != nil {
			return nil, err
		}
		if strings.HasPrefix(c.Body, head) && us(c.Author) {
			ours = append(ours, c)
		}
	}
	if len(ours) == 0 {
		return nil, nil
	}
	slices.SortFunc(ours, func(a, b github.Comment) int { return cmp.Compare(a.ID, b.ID) })
	for _, extra := range ours[1:] {
		if err := s.Client.DeleteComment(ctx, extra.ID); err != nil {
			return nil, err
		}
	}
	return &ours[0], nil
}

// byBot reports whether an author is an App, such as that of GitHub Actions: no
// person can have such a name.
func byBot(a github.Author) bool { return strings.HasSuffix(a.Login, "[bot]") }
