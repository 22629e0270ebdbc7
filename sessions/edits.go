package sessions

import "maps"

// edits are what one event or request did to a session. They are kept apart from its values so that they can be
// applied to what the store holds by then: keys that were not touched keep what others wrote.
type edits struct {
	cleared      bool
	keepReserved bool // cleared left out the keys of siokit
	keys         map[any]edit
}

type edit struct {
	value   any
	deleted bool
}

func (c *edits) set(key, value any) { c.put(key, edit{value: value}) }
func (c *edits) delete(key any)     { c.put(key, edit{deleted: true}) }

func (c *edits) put(key any, what edit) {
	if c.keys == nil {
		c.keys = make(map[any]edit)
	}
	c.keys[key] = what
}

func (c *edits) clear(keepReserved bool) {
	*c = edits{cleared: true, keepReserved: keepReserved}
}

func (c *edits) applyTo(values map[any]any) {
	if c.cleared {
		clearValues(values, c.keepReserved)
	}
	for key, what := range c.keys {
		if what.deleted {
			delete(values, key)
		} else {
			values[key] = what.value
		}
	}
}

// clearValues removes all values but the id, and on request also leaves what siokit keeps there.
func clearValues(values map[any]any, keepReserved bool) {
	maps.DeleteFunc(values, func(key, _ any) bool {
		return key != idKey && !(keepReserved && reserved(key))
	})
}
