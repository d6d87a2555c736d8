package oci

import (
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"syscall"

	"github.com/google/go-containerregistry/pkg/v1/remote/transport"

	"github.com/deploy-action/deploy-action/internal/diag"
	"github.com/deploy-action/deploy-action/internal/oci/transfer"
)

// notRegistryError says that a host answers as web sites do.
type notRegistryError struct{ host string }

func (e *notRegistryError) Error() string { return e.host + " answered with an HTML page" }

// guard refuses pages where a registry's answers should be. Without it the
// library would report whatever it fails to find in the page.
type guard struct{ base http.RoundTripper }

// RoundTrip implements [http.RoundTripper].
func (g guard) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := g.base.RoundTrip(req)
	if err != nil || !strings.HasPrefix(req.URL.Path, "/v2/") || !strings.HasPrefix(resp.Header.Get("Content-Type"), "text/html") {
		return resp, err
	}
	// Proxies in front of real registries send pages with these, too.
	proxied := resp.StatusCode >= 500 || slices.Contains([]int{
		http.StatusUnauthorized, http.StatusForbidden, http.StatusRequestEntityTooLarge, http.StatusTooManyRequests,
	}, resp.StatusCode)
	if proxied || resp.StatusCode >= 300 && resp.StatusCode < 400 {
		return resp, nil
	}
	resp.Body.Close()
	return nil, &notRegistryError{req.URL.Host}
}

// explain turns what the library reports about a registry into a problem that
// says what to do. Errors that it does not know, and ends of a context, come
// back as they are; so do problems.
func explain(err error, host string) error {
	if _, ok := errors.AsType[*diag.Problem](err); ok || err == nil {
		return err
	}
	problem := &diag.Problem{Err: err}
	if answer, ok := errors.AsType[*transport.Error](err); ok {
		problem.Summary, problem.Detail = explainAnswer(answer, host)
	} else {
		problem.Summary, problem.Detail = explainSilence(err, host)
	}
	if problem.Summary == "" {
		return err
	}
	return problem
}

// explainAnswer is about a registry that answered with a refusal.
func explainAnswer(answer *transport.Error, host string) (summary, detail string) {
	has := func(code transport.ErrorCode) bool { return hasCode(answer, code) }
	switch {
	case answer.StatusCode == http.StatusUnauthorized, answer.StatusCode == http.StatusForbidden,
		has(transport.UnauthorizedErrorCode), has(transport.DeniedErrorCode):
		return fmt.Sprintf("Registry %s refused access", host),
			"The credentials are missing, wrong, or not enough for this repository. They are taken, in this order, from the " +
				"configuration, the input registry-auth, and the Docker configuration file. " + accessHint(host)
	case answer.StatusCode == http.StatusTooManyRequests, has(transport.TooManyRequestsErrorCode):
		return fmt.Sprintf("Registry %s limits the rate of requests", host),
			"It kept refusing after several tries, or asked to wait for longer than two minutes. Signing in raises the limit of most registries; otherwise wait and run again."
	case answer.StatusCode == http.StatusRequestEntityTooLarge:
		return fmt.Sprintf("Registry %s refuses a blob of this size", host),
			"The registry, or a proxy before it, limits how much one request may carry. Raise that limit, or make the image's layers smaller."
	case has(transport.DigestInvalidErrorCode):
		return fmt.Sprintf("Registry %s says that other bytes arrived", host),
			"It did so twice for one blob. A proxy between here and the registry may change or cut off what is uploaded; otherwise the registry is broken."
	case has(transport.NameInvalidErrorCode):
		return "Invalid repository name", fmt.Sprintf("Registry %s does not accept this name for a repository.", host)
	case has(transport.ManifestUnknownErrorCode):
		return "Image not found", fmt.Sprintf("Registry %s has no image of that tag or digest. Check the name, and that the image was pushed.", host)
	case answer.StatusCode == http.StatusNotFound, has(transport.NameUnknownErrorCode):
		return "Repository not found",
			fmt.Sprintf("Registry %s has no such repository, or does not show it to us. Some registries need it to be created first.", host)
	case answer.StatusCode >= http.StatusInternalServerError:
		return fmt.Sprintf("Registry %s is failing", host),
			fmt.Sprintf("It answered with status %d several times. Nothing in the configuration can mend that: run again once the registry is well.", answer.StatusCode)
	}
	return "", ""
}

// hasCode reports whether an answer has one of the protocol's codes.
func hasCode(answer *transport.Error, code transport.ErrorCode) bool {
	return slices.ContainsFunc(answer.Errors, func(d transport.Diagnostic) bool { return d.Code == code })
}

// accessHint names the line that most often is missing.
func accessHint(host string) string {
	switch {
	case host == "ghcr.io":
		return "In a workflow, the job needs the permission packages: write, and the package must allow this repository."
	case strings.HasSuffix(host, ".amazonaws.com"):
		return "The registry plugin aws-ecr signs in by itself with the job's role."
	}
	return fmt.Sprintf("On a terminal, run docker login %s.", host)
}

// explainSilence is about a host that gave no answer of a registry.
func explainSilence(err error, host string) (summary, detail string) {
	if _, ok := errors.AsType[*notRegistryError](err); ok {
		return fmt.Sprintf("%s is not a registry", host),
			"It answers with web pages where a registry would answer with JSON. Check the host in the image's name; a registry's host is often not that of its web site."
	}
	if lie, ok := errors.AsType[*transfer.LieError](err); ok {
		return fmt.Sprintf("Registry %s stored other content than it was sent", host),
			fmt.Sprintf("It answers with digest %s to a manifest with digest %s. Nothing was deployed from it; the registry, or a proxy before it, is broken.", lie.Got, lie.Want)
	}
	if missing, ok := errors.AsType[*net.DNSError](err); ok {
		return fmt.Sprintf("Registry %s cannot be found", host),
			fmt.Sprintf("The host name %q does not resolve. Check the image's name and the network.", missing.Name)
	}
	_, unknown := errors.AsType[x509.UnknownAuthorityError](err)
	_, mismatch := errors.AsType[x509.HostnameError](err)
	switch {
	case unknown, mismatch:
		return fmt.Sprintf("Registry %s has a certificate that is not trusted", host),
			"Name its authority in the input ca-bundle, or, for a registry without TLS, set insecure = true."
	case speaksHTTP(err):
		return fmt.Sprintf("Registry %s speaks plain HTTP", host),
			"Set insecure = true in the registry block if that is on purpose."
	case errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		return fmt.Sprintf("Registry %s cannot be reached", host),
			"Nothing accepts connections there. Check that the registry runs and that host and port in the image's name are right."
	}
	if opErr, ok := errors.AsType[*net.OpError](err); ok && opErr.Timeout() {
		return fmt.Sprintf("Registry %s does not answer", host), "Connecting to it took too long. Check the network between this machine and the registry."
	}
	return "", ""
}

// speaksHTTP reports whether only HTTPS was tried at a host without it. The
// HTTP client has no error value for that.
func speaksHTTP(err error) bool {
	text := err.Error()
	return strings.Contains(text, "server gave HTTP response to HTTPS client") && !strings.Contains(text, `"http://`)
}
