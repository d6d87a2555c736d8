package githubfake

import (
	"net/http"
	"slices"
	"strconv"
	"time"
)

// What all jobs of a repository may do together.
const (
	requestsAnHour  = 1000
	writesAMinute   = 80
	writesAnHour    = 500
	requestsAtOnce  = 100
	secondaryLimits = "https://docs.github.com/rest/overview/rate-limits-for-the-rest-api#about-secondary-rate-limits"
)

// usage counts requests. It does not survive a restart, which only makes f more
// generous.
type usage struct {
	hour     time.Time // when the present hour began
	requests int       // in it
	writes   []time.Time
}

// showLimits tells what is left, and counts for nothing.
func (f *Fake) showLimits(w http.ResponseWriter, _ *http.Request) {
	u, now := f.usage, f.options.Now()
	if now.Sub(u.hour) >= time.Hour {
		u.hour, u.requests = now, 0
	}
	core := map[string]any{
		"limit": f.options.Requests, "used": u.requests, "remaining": max(f.options.Requests-u.requests, 0), "reset": u.hour.Add(time.Hour).Unix(),
	}
	answerJSON(w, http.StatusOK, map[string]any{"resources": map[string]any{"core": core}, "rate": core})
}

// limit counts a request, and refuses it where there were too many.
func (f *Fake) limit(w http.ResponseWriter, r *http.Request) (refused bool) {
	now, u := f.options.Now(), &f.usage
	if now.Sub(u.hour) >= time.Hour {
		u.hour, u.requests = now, 0
	}
	u.requests++
	left := max(f.options.Requests-u.requests, 0)
	for name, value := range map[string]string{
		"Limit": strconv.Itoa(f.options.Requests), "Used": strconv.Itoa(u.requests), "Remaining": strconv.Itoa(left),
		"Reset": strconv.FormatInt(u.hour.Add(time.Hour).Unix(), 10), "Resource": "core",
	} {
		w.Header().Set("X-RateLimit-"+name, value)
	}
	switch {
	case u.requests > f.options.Requests:
		refuseREST(w, http.StatusForbidden, "API rate limit exceeded for installation.")
		return true
	case f.atOnce.Load() > requestsAtOnce:
		refuseSecondary(w, time.Minute)
		return true
	case r.Method == http.MethodGet || r.Method == http.MethodHead:
		return false
	}
	u.writes = slices.DeleteFunc(u.writes, func(at time.Time) bool { return now.Sub(at) >= time.Hour })
	if before := len(u.writes) - writesAnHour; before >= 0 {
		refuseSecondary(w, u.writes[before].Add(time.Hour).Sub(now))
		return true
	}
	if before := len(u.writes) - writesAMinute; before >= 0 && now.Sub(u.writes[before]) < time.Minute {
		refuseSecondary(w, u.writes[before].Add(time.Minute).Sub(now))
		return true
	}
	u.writes = append(u.writes, now)
	return false
}

func refuseSecondary(w http.ResponseWriter, pause time.Duration) {
	w.Header().Set("Retry-After", strconv.Itoa(int(pause.Round(time.Second)/time.Second)))
	answerJSON(w, http.StatusForbidden, map[string]any{
		"message": "You have exceeded a secondary rate limit.", "documentation_url": secondaryLimits,
	})
}
