package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

const lifetime = 10 * 365 * 24 * time.Hour

// Who may call the API server: the file's name, the user, the groups.
var clients = []struct {
	file, user string
	groups     []string
}{
	{"admin", "kubernetes-admin", []string{"system:masters"}},
	{"controller-manager", "system:kube-controller-manager", nil},
	{"scheduler", "system:kube-scheduler", nil},
}

type authority struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
}

// certificates writes into the folder of its one argument: ca.crt, ca.key, pairs for
// apiserver, etcd and each client, and service-accounts.key, which signs tokens. Keys are readable by their owner only.
func certificates(arguments []string) int {
	if len(arguments) != 1 {
		fmt.Fprintln(os.Stderr, "usage: controlplane pki FOLDER")
		return 2
	}
	if err := writeAll(arguments[0]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

func writeAll(folder string) error {
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return err
	}
	ca, err := newAuthority(folder)
	if err != nil {
		return err
	}
	server := template(pkix.Name{CommonName: "kube-apiserver"}, x509.ExtKeyUsageServerAuth)
	server.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 1), net.IPv4(10, 96, 0, 1)}
	server.DNSNames = []string{"localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc",
		"kubernetes.default.svc.cluster.local"}
	if err := ca.issue(folder, "apiserver", server); err != nil {
		return err
	}
	for _, client := range clients {
		name := pkix.Name{CommonName: client.user, Organization: client.groups}
		if err := ca.issue(folder, client.file, template(name, x509.ExtKeyUsageClientAuth)); err != nil {
			return err
		}
	}
	store := template(pkix.Name{CommonName: "etcd"}, x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth)
	store.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 1)}
	if err := ca.issue(folder, "etcd", store); err != nil {
		return err
	}
	_, err = newKey(folder, "service-accounts")
	return err
}

func newAuthority(folder string) (*authority, error) {
	key, err := newKey(folder, "ca")
	if err != nil {
		return nil, err
	}
	wanted := template(pkix.Name{CommonName: "portway-sandbox"})
	wanted.IsCA, wanted.BasicConstraintsValid = true, true
	wanted.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature
	der, err := x509.CreateCertificate(rand.Reader, wanted, wanted, &key.PublicKey, key)
	if err != nil {
		return nil, err
	}
	if err := write(folder, "ca.crt", "CERTIFICATE", der); err != nil {
		return nil, err
	}
	certificate, err := x509.ParseCertificate(der)
	return &authority{certificate, key}, err
}

func (ca *authority) issue(folder, name string, wanted *x509.Certificate) error {
	key, err := newKey(folder, name)
	if err != nil {
		return err
	}
	der, err := x509.CreateCertificate(rand.Reader, wanted, ca.certificate, &key.PublicKey, ca.key)
	if err != nil {
		return err
	}
	return write(folder, name+".crt", "CERTIFICATE", der)
}

func template(name pkix.Name, usages ...x509.ExtKeyUsage) *x509.Certificate {
	serial, _ := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	return &x509.Certificate{
		SerialNumber: serial, Subject: name, ExtKeyUsage: usages, KeyUsage: x509.KeyUsageDigitalSignature,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(lifetime),
	}
}

func newKey(folder, name string) (*ecdsa.PrivateKey, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return nil, err
	}
	return key, write(folder, name+".key", "EC PRIVATE KEY", der)
}

func write(folder, name, kind string, der []byte) error {
	text := pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
	return os.WriteFile(filepath.Join(folder, name), text, 0o600)
}
