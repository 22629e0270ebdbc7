package nodewire

import "strings"

// interest is in a namespace that the server may not have.
type interest struct {
	asking int  // questions that wait for answers; guarded by Adapter.mu
	fresh  bool // there was one since forget last looked; guarded by Adapter.mu
}

// OpenNamespace implements cluster.Link. It makes the server count as one that has the namespace.
func (a *Adapter) OpenNamespace(namespace string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.opened[namespace] = true
	a.wantLocked(namespace)
}

func (a *Adapter) wantLocked(namespace string) {
	if strings.Contains(namespace, "#") {
		a.hashes.Store(true)
	}
	a.redis.want(true, a.names.of(namespace)...)
}

// CloseNamespace implements cluster.Link.
func (a *Adapter) CloseNamespace(namespace string) {
	if namespace == "/" {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.opened, namespace)
	a.dropLocked(namespace)
}

// hold makes the answers to a question about a namespace arrive, until release and a little longer: the next
// question may be about the same.
func (a *Adapter) hold(namespace string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	in := a.asked[namespace]
	if in == nil {
		in = new(interest)
		a.asked[namespace] = in
	}
	in.asking++
	in.fresh = true
	a.wantLocked(namespace)
}

func (a *Adapter) release(namespace string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.asked[namespace].asking--
}

// forget ends the interest in namespaces about which nothing has been asked for a while.
func (a *Adapter) forget() {
	a.mu.Lock()
	defer a.mu.Unlock()
	for namespace, in := range a.asked {
		if in.fresh {
			in.fresh = false
		} else {
			a.dropLocked(namespace)
		}
	}
}

// dropLocked ends the subscriptions for a namespace that nobody needs.
func (a *Adapter) dropLocked(namespace string) {
	if in := a.asked[namespace]; in != nil && in.asking > 0 {
		return
	}
	delete(a.asked, namespace)
	if !a.opened[namespace] {
		a.redis.want(false, a.names.of(namespace)...)
	}
}
