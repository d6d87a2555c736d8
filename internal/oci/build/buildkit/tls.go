package buildkit

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/deploy-action/deploy-action/internal/diag"
)

// readTLS reads a folder as buildctl's option --tlsdir takes it: ca.pem, cert.pem
// and key.pem, or ca.crt, tls.crt and tls.key. What is not there is left out:
// without the first the machine's authorities count, without the others nobody
// signs in.
func readTLS(folder, host string) (*tls.Config, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: host}
	authorities, err := readEither(folder, "ca.pem", "ca.crt")
	if err != nil {
		return nil, unusableTLS(folder, err)
	}
	if authorities != nil {
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(authorities) {
			return nil, unusableTLS(folder, errors.New("there is no certificate in ca.pem"))
		}
	}
	certificate, err := readEither(folder, "cert.pem", "tls.crt")
	if err != nil {
		return nil, unusableTLS(folder, err)
	}
	key, err := readEither(folder, "key.pem", "tls.key")
	if err != nil {
		return nil, unusableTLS(folder, err)
	}
	switch {
	case authorities == nil && certificate == nil && key == nil:
		return nil, unusableTLS(folder, fs.ErrNotExist)
	case certificate == nil && key == nil:
		return config, nil
	}
	pair, err := tls.X509KeyPair(certificate, key)
	if err != nil {
		return nil, unusableTLS(folder, err)
	}
	config.Certificates = []tls.Certificate{pair}
	return config, nil
}

// readEither reads the first file that is there; nil is neither.
func readEither(folder string, names ...string) ([]byte, error) {
	for _, name := range names {
		data, err := os.ReadFile(filepath.Join(folder, name))
		if !errors.Is(err, fs.ErrNotExist) {
			return data, err
		}
	}
	return nil, nil
}

func unusableTLS(folder string, err error) error {
	return &diag.Problem{
		Summary: "Unusable certificates for BuildKit",
		Detail: fmt.Sprintf("The folder %q, which the variable BUILDKIT_TLS_DIR names, should have ca.pem, cert.pem and key.pem, "+
			"or ca.crt, tls.crt and tls.key: %v. Correct the variable or the files.", folder, err),
		Attr: "engine",
		Err:  err,
	}
}
