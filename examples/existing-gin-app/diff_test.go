// Package existing checks that the README of this folder shows what siokit adds to the application, line by line. The
// programs are in before and after; their tests run them.
package existing

import (
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

func TestReadmeShowsEveryAddedLine(t *testing.T) {
	readme := read(t, "README.md")
	for _, name := range []string{"main.go", "index.html"} {
		before, after := lines(t, "before/"+name), lines(t, "after/"+name)
		if missing, ok := firstMissing(before, after); !ok {
			t.Errorf("after/%s lacks %q of before/%s, or has it elsewhere: lines may only be added", name, missing, name)
		}
		added := tally(after)
		for line, n := range tally(before) {
			added[line] -= n
		}
		maps.DeleteFunc(added, func(_ string, n int) bool { return n == 0 })

		var shown []string
		for line := range strings.Lines(section(t, readme, name, "diff")) {
			if rest, ok := strings.CutPrefix(line, "+"); ok {
				shown = append(shown, strings.TrimSuffix(rest, "\n"))
			} else if strings.HasPrefix(line, "-") {
				t.Errorf("the README shows that %s loses %q", name, line)
			}
		}
		if !maps.Equal(tally(shown), added) {
			t.Errorf("%s: the README shows as added\n%s\nbut added is\n%s", name, strings.Join(shown, "\n"),
				strings.Join(slices.Sorted(maps.Keys(added)), "\n"))
		}
		wantRow(t, readme, fmt.Sprintf("| %s | %d | 0 |", name, len(after)-len(before)))
	}
	sockets := read(t, "after/sockets.go")
	if section(t, readme, "sockets.go", "go") != sockets {
		t.Error("the README shows another sockets.go than after/sockets.go")
	}
	wantRow(t, readme, fmt.Sprintf("| sockets.go, new | %d | |", strings.Count(sockets, "\n")))
}

// The two folders differ by these files only; tests apart.
func TestFoldersDifferBySocketsOnly(t *testing.T) {
	for folder, want := range map[string][]string{
		"before": {"index.html", "main.go"},
		"after":  {"index.html", "main.go", "sockets.go"},
	} {
		entries, err := os.ReadDir(folder)
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, entry := range entries {
			if !strings.HasSuffix(entry.Name(), "_test.go") {
				names = append(names, entry.Name())
			}
		}
		if !slices.Equal(names, want) {
			t.Errorf("%s holds %v, want %v", folder, names, want)
		}
	}
}

// firstMissing returns the first line of before that does not stand in after, in the same order.
func firstMissing(before, after []string) (line string, ok bool) {
	for _, line := range before {
		i := slices.Index(after, line)
		if i < 0 {
			return line, false
		}
		after = after[i+1:]
	}
	return "", true
}

func tally(lines []string) map[string]int {
	n := map[string]int{}
	for _, line := range lines {
		n[line]++
	}
	return n
}

// section returns the code block of this kind below the heading.
func section(t *testing.T, readme, heading, kind string) string {
	t.Helper()
	pattern := "(?s)\n## " + regexp.QuoteMeta(heading) + "\n\n```" + kind + "\n(.*?)```"
	found := regexp.MustCompile(pattern).FindStringSubmatch(readme)
	if found == nil {
		t.Fatalf("README.md has no block of %s below a heading %q", kind, heading)
	}
	return found[1]
}

func wantRow(t *testing.T, readme, row string) {
	t.Helper()
	if !strings.Contains(readme, row+"\n") {
		t.Errorf("README.md lacks the row %q", row)
	}
}

func lines(t *testing.T, name string) []string {
	t.Helper()
	return strings.Split(strings.TrimSuffix(read(t, name), "\n"), "\n")
}

func read(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
