package buildkit

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	controlapi "github.com/moby/buildkit/api/services/control"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/status"
)

// writeCerts makes a folder with a certificate that is its own authority.
func writeCerts(t *testing.T) (folder string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	certificate, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	folder = t.TempDir()
	for name, block := range map[string]*pem.Block{
		"ca.pem":   {Type: "CERTIFICATE", Bytes: certificate},
		"cert.pem": {Type: "CERTIFICATE", Bytes: certificate},
		"key.pem":  {Type: "PRIVATE KEY", Bytes: private},
	} {
		if err := os.WriteFile(filepath.Join(folder, name), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return folder
}

// TestTLS calls a server that takes only clients whose certificate it knows.
func TestTLS(t *testing.T) {
	t.Parallel()
	certs, others := writeCerts(t), writeCerts(t)
	config, err := readTLS(certs, "")
	if err != nil {
		t.Fatal(err)
	}
	config.ClientCAs, config.ClientAuth = config.RootCAs, tls.RequireAndVerifyClientCert
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer(grpc.Creds(credentials.NewTLS(config)))
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(server.Stop)
	for name, test := range map[string]struct {
		certs string
		want  codes.Code
	}{
		"known":    {certs, codes.Unimplemented}, // the server was reached, and has no builder
		"unknown":  {others, codes.Unavailable},
		"in plain": {"", codes.Unavailable},
	} {
		t.Run(name, func(t *testing.T) {
			daemon, err := At("tcp://"+listener.Addr().String(), test.certs)
			if err != nil {
				t.Fatal(err)
			}
			conn, err := daemon.connect()
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			_, err = controlapi.NewControlClient(conn).Info(t.Context(), &controlapi.InfoRequest{})
			if got := status.Code(err); got != test.want {
				t.Errorf("Info ended with %v (%v), want %v", got, err, test.want)
			}
		})
	}
}

func TestUnusableTLS(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(folder string) error{
		"nothing there":  os.RemoveAll,
		"no key":         func(folder string) error { return os.Remove(filepath.Join(folder, "key.pem")) },
		"no authorities": func(folder string) error { return os.WriteFile(filepath.Join(folder, "ca.pem"), nil, 0o600) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			folder := writeCerts(t)
			if err := spoil(folder); err != nil {
				t.Fatal(err)
			}
			if _, err := At("tcp://127.0.0.1:1", folder); err == nil {
				t.Error("the folder is taken")
			}
		})
	}
}
