// Package authflow tests packages sessions, auth and core together: who gets in, what each is told, and how fast
// somebody is out again. The numbers in its tests are those of the attacks that they run. It has no code of its own.
package authflow
