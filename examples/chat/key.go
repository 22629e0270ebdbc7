package main

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
)

const keySize = 32

// sessionKey returns the key that signs the login cookies. Whoever has it can log in as anybody, so in production
// it comes from SESSION_KEY. Without that, the first start makes one and keeps it in the user's cache folder: a
// login then survives a restart of the server, as it should on a developer's machine too.
func sessionKey() ([]byte, error) {
	if key := os.Getenv("SESSION_KEY"); key != "" {
		if len(key) < keySize {
			return nil, fmt.Errorf("chat: SESSION_KEY has %d bytes, at least %d are needed: take the output of `openssl rand -hex 32`", len(key), keySize)
		}
		return []byte(key), nil
	}
	key, err := keptKey()
	if err != nil {
		slog.Warn("SESSION_KEY is not set and no key can be kept: a restart will log everybody out", "error", err)
		return newKey(), nil
	}
	return key, nil
}

// keptKey reads the development key, which it makes at the first start.
func keptKey() ([]byte, error) {
	dir, err := os.UserCacheDir()
	if err != nil {
		return nil, err
	}
	path := filepath.Join(dir, "siokit-chat", "session.key")
	key, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		key = newKey()
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return nil, err
		}
		err = os.WriteFile(path, key, 0o600)
	}
	if err == nil && len(key) != keySize {
		err = fmt.Errorf("chat: %s does not hold %d bytes: delete it", path, keySize)
	}
	if err == nil {
		slog.Info("SESSION_KEY is not set: using the development key", "file", path)
	}
	return key, err
}

func newKey() []byte {
	key := make([]byte, keySize)
	rand.Read(key) // never fails: see crypto/rand
	return key
}
