package githubfake

import (
	"fmt"
	"net/http"
	"slices"
	"time"
)

// Comment is one comment of a pull request.
type Comment struct {
	ID      int64     `json:"id"`
	Number  int       `json:"number"` // of the pull request
	Login   string    `json:"login"`  // of its author
	Body    string    `json:"body"`
	Created time.Time `json:"created"`
	Updated time.Time `json:"updated"`
}

// AddComment makes somebody comment on a pull request.
func (f *Fake) AddComment(number int, login, body string) int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.addComment(number, login, body).ID
}

func (f *Fake) addComment(number int, login, body string) *Comment {
	now := f.options.Now().UTC()
	c := &Comment{ID: f.newID(), Number: number, Login: login, Body: body, Created: now, Updated: now}
	f.data.Comments = append(f.data.Comments, c)
	return c
}

// Comments returns the comments of all pull requests, oldest first.
func (f *Fake) Comments() []Comment {
	f.mu.Lock()
	defer f.mu.Unlock()
	list := []Comment{}
	for _, c := range f.data.Comments {
		list = append(list, *c)
	}
	return list
}

func (f *Fake) commentRoutes() []route {
	return []route{
		{"GET /repos/{owner}/{repo}/issues/{number}/comments", "pull-requests: read", f.listComments},
		{"POST /repos/{owner}/{repo}/issues/{number}/comments", "pull-requests: write", f.createComment},
		{"PATCH /repos/{owner}/{repo}/issues/comments/{id}", "pull-requests: write", f.comment(f.updateComment)},
		{"DELETE /repos/{owner}/{repo}/issues/comments/{id}", "pull-requests: write", f.comment(f.deleteComment)},
	}
}

// comment finds the comment that a request is about.
func (f *Fake) comment(next func(http.ResponseWriter, *http.Request, *Comment)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		id := number(r.PathValue("id"))
		at := slices.IndexFunc(f.data.Comments, func(c *Comment) bool { return c.ID == id })
		if at < 0 {
			refuseREST(w, http.StatusNotFound, "Not Found")
			return
		}
		next(w, r, f.data.Comments[at])
	}
}

func (f *Fake) listComments(w http.ResponseWriter, r *http.Request) {
	issue := int(number(r.PathValue("number")))
	if _, ok := f.data.Pulls[issue]; !ok {
		refuseREST(w, http.StatusNotFound, "Not Found")
		return
	}
	// What is no time was refused before; the zero time is before everything.
	since, _ := time.Parse(time.RFC3339, r.URL.Query().Get("since"))
	list := []any{}
	for _, c := range f.data.Comments {
		if c.Number == issue && !c.Updated.Before(since) {
			list = append(list, c.json(r))
		}
	}
	answerJSON(w, http.StatusOK, page(w, r, list))
}

func (f *Fake) createComment(w http.ResponseWriter, r *http.Request) {
	issue := int(number(r.PathValue("number")))
	body, ok := commentBody(w, r)
	if !ok {
		return
	}
	if _, known := f.data.Pulls[issue]; !known {
		refuseREST(w, http.StatusNotFound, "Not Found")
		return
	}
	answerJSON(w, http.StatusCreated, f.addComment(issue, f.login(r), body).json(r))
}

func (f *Fake) updateComment(w http.ResponseWriter, r *http.Request, c *Comment) {
	body, ok := commentBody(w, r)
	if !ok {
		return
	}
	c.Body, c.Updated = body, f.options.Now().UTC()
	answerJSON(w, http.StatusOK, c.json(r))
}

func (f *Fake) deleteComment(w http.ResponseWriter, _ *http.Request, c *Comment) {
	f.data.Comments = slices.DeleteFunc(f.data.Comments, func(other *Comment) bool { return other == c })
	w.WriteHeader(http.StatusNoContent)
}

// commentBody reads the text of a comment, or refuses it.
func commentBody(w http.ResponseWriter, r *http.Request) (string, bool) {
	var req struct{ Body string }
	if !decode(w, r, &req) {
		return "", false
	}
	switch size := len([]rune(req.Body)); {
	case size == 0:
		refuseREST(w, http.StatusUnprocessableEntity, "Body cannot be blank")
		return "", false
	case size > 65536:
		refuseREST(w, http.StatusUnprocessableEntity, "Body is too long (maximum is 65536 characters)")
		return "", false
	}
	return req.Body, true
}

func (c *Comment) json(r *http.Request) map[string]any {
	return complete("issue-comment", map[string]any{
		"id": c.ID, "body": c.Body, "user": user(c.Login), "url": self(r, "issues/comments/%d", c.ID),
		"html_url":   fmt.Sprintf("%s/%s/pull/%d#issuecomment-%d", origin(r), fullName(r), c.Number, c.ID),
		"created_at": c.Created.Format(time.RFC3339), "updated_at": c.Updated.Format(time.RFC3339),
	})
}
